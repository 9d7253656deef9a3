package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Event is one dispatch of Discord's gateway on its way to a plugin.
//
// A frame is, in big-endian order:
//
//	offset  size  field
//	0       4     length of all that follows it in this frame
//	4       2     length of the header, counted from offset 6 to the data
//	6       8     journal index
//	14      4     shard
//	18      8     seq
//	26      8     received, Unix time in nanoseconds
//	34      4     flags
//	38      8     guild
//	46      8     lane
//	54      8     guild version
//	62      25    traceparent: trace id, span id, trace flags; zero when off
//	87      1     length of the event name
//	88      n     event name
//	88+n    …     data: Discord's bytes of "d", untouched
//
// A reader takes the data from where the header's length says that it starts,
// so that fields can be added behind the name within one protocol version.
type Event struct {
	// Index is the event's number in the host's journal, or one with the bit
	// NotJournaled. It names the event in acknowledgements.
	Index uint64
	Shard uint32
	// Seq is Discord's sequence number in the shard's session.
	Seq uint64
	// Received is when the host read the event, Unix time in nanoseconds.
	Received int64
	Flags    Flags
	// Guild is the guild that the event is about, 0 for none.
	Guild uint64
	// Lane is the key of the order that is promised: the guild, else the
	// channel (direct messages), else the shard's number, which no snowflake
	// can be.
	Lane uint64
	// GuildVersion is the version of the cached guild that the event belongs
	// to, 0 when the host has none.
	GuildVersion uint64
	Traceparent  [25]byte
	// Name is Discord's dispatch name, at most 255 bytes.
	Name string
	// Data is Discord's "d" byte for byte. It is shared: never write to it.
	Data []byte
}

// Flags of an event.
type Flags uint32

// Redelivered marks an event that an earlier instance of the plugin may have
// handled, wholly or in part.
const Redelivered Flags = 1 << 0

// NotJournaled is set in the index of an event that the journal could not take:
// it lives in memory only.
const NotJournaled uint64 = 1 << 63

const (
	lengthSize   = 4
	fixedHeader  = 82 // from the journal index to the length of the name
	headerOffset = lengthSize + 2

	// MaxBatch bounds the frames of one EventBatch in bytes; a larger event
	// travels alone. grpc's buffers jump from 32 KiB to 1 MiB, and 31 KB cost
	// half of 64 KB for each event.
	MaxBatch = 32_000
	// MaxEvent bounds the data of one event, like the decoded size of a
	// payload at the gateway.
	MaxEvent = 32 << 20
)

// ErrFrame is wrapped by every error of ParseFrame.
var ErrFrame = errors.New("malformed event frame")

// FrameSize is the size of the event's frame in bytes.
func (e *Event) FrameSize() int {
	return e.headerSize() + len(e.Data)
}

func (e *Event) headerSize() int {
	return headerOffset + fixedHeader + len(e.Name)
}

// AppendHeader appends the frame of e up to its data, which must follow.
func (e *Event) AppendHeader(b []byte) []byte {
	name := e.Name
	if len(name) > math.MaxUint8 {
		name = name[:math.MaxUint8]
	}
	header := fixedHeader + len(name)
	b = binary.BigEndian.AppendUint32(b, uint32(2+header+len(e.Data)))
	b = binary.BigEndian.AppendUint16(b, uint16(header))
	b = binary.BigEndian.AppendUint64(b, e.Index)
	b = binary.BigEndian.AppendUint32(b, e.Shard)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Received))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Flags))
	b = binary.BigEndian.AppendUint64(b, e.Guild)
	b = binary.BigEndian.AppendUint64(b, e.Lane)
	b = binary.BigEndian.AppendUint64(b, e.GuildVersion)
	b = append(b, e.Traceparent[:]...)
	b = append(b, byte(len(name)))
	return append(b, name...)
}

// AppendFrame appends the whole frame of e.
func (e *Event) AppendFrame(b []byte) []byte {
	return append(e.AppendHeader(b), e.Data...)
}

// ParseFrame reads the first frame of b into e and returns what follows it.
// e.Data shares b's memory. names, if not nil, interns e.Name: a name that it
// holds costs no allocation.
func ParseFrame(b []byte, e *Event, names map[string]string) (rest []byte, err error) {
	if len(b) < headerOffset {
		return nil, fmt.Errorf("%w: %d bytes left", ErrFrame, len(b))
	}
	length := uint64(binary.BigEndian.Uint32(b))
	if length < headerOffset-lengthSize || length > uint64(len(b)-lengthSize) || length > MaxEvent+math.MaxUint16 {
		return nil, fmt.Errorf("%w: length %d of %d bytes", ErrFrame, length, len(b))
	}
	frame, rest := b[headerOffset:lengthSize+length:lengthSize+length], b[lengthSize+length:]
	header := int(binary.BigEndian.Uint16(b[lengthSize:]))
	if header < fixedHeader || header > len(frame) {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrFrame, header)
	}
	nameLength := int(frame[fixedHeader-1])
	if nameLength == 0 || fixedHeader+nameLength > header {
		return nil, fmt.Errorf("%w: name of %d bytes in a header of %d", ErrFrame, nameLength, header)
	}
	e.Index = binary.BigEndian.Uint64(frame)
	e.Shard = binary.BigEndian.Uint32(frame[8:])
	e.Seq = binary.BigEndian.Uint64(frame[12:])
	e.Received = int64(binary.BigEndian.Uint64(frame[20:]))
	e.Flags = Flags(binary.BigEndian.Uint32(frame[28:]))
	e.Guild = binary.BigEndian.Uint64(frame[32:])
	e.Lane = binary.BigEndian.Uint64(frame[40:])
	e.GuildVersion = binary.BigEndian.Uint64(frame[48:])
	e.Traceparent = [25]byte(frame[56:81])
	name := frame[fixedHeader : fixedHeader+nameLength]
	known, ok := names[string(name)]
	if !ok {
		known = string(name)
	}
	e.Name = known
	e.Data = frame[header:]
	return rest, nil
}
