package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A segment is a header and frames, all in little-endian order.
//
//	header  magic 4 · version 4 · zero 8 · first index 8 · zero 4 · crc 4
//	frame   length of the body 4 · crc of the body 4 · the body:
//	        index 8 · seq 8 · received 8 · guild 8 · lane 8 · shard 4 · length of the name 1 · name · data
//
// The header keeps its form in all versions, so that an older holdfast can tell.
const (
	segmentMagic   = "HfJ\n"
	segmentVersion = 2
	segmentHeader  = 32

	frameHeader = 8
	frameFixed  = 45 // of the body, before the name
	maxName     = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant that Go cannot write

func appendHeader(b []byte, first uint64) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentVersion)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// readHeader is the version in a segment's header.
func readHeader(b []byte) (version uint32, err error) {
	if len(b) < segmentHeader || string(b[:4]) != segmentMagic ||
		binary.LittleEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return 0, errors.New("its header is damaged")
	}
	return binary.LittleEndian.Uint32(b[4:]), nil
}

func frameSize(r *Record) int { return frameHeader + frameFixed + len(r.Name) + len(r.Data) }

func appendFrame(b []byte, r *Record) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, 0) // length and crc, below
	b = binary.LittleEndian.AppendUint64(b, r.Index)
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Received))
	b = binary.LittleEndian.AppendUint64(b, r.Guild)
	b = binary.LittleEndian.AppendUint64(b, r.Lane)
	b = binary.LittleEndian.AppendUint32(b, r.Shard)
	b = append(b, byte(len(r.Name)))
	b = append(b, r.Name...)
	b = append(b, r.Data...)
	body := b[start+frameHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

// parseBody fills r from a body whose crc is right. Data is a part of body. name
// makes a string of bytes.
func parseBody(body []byte, r *Record, name func([]byte) string) bool {
	if len(body) < frameFixed {
		return false
	}
	end := frameFixed + int(body[frameFixed-1])
	if end > len(body) {
		return false
	}
	r.Index = binary.LittleEndian.Uint64(body)
	r.Seq = binary.LittleEndian.Uint64(body[8:])
	r.Received = int64(binary.LittleEndian.Uint64(body[16:]))
	r.Guild = binary.LittleEndian.Uint64(body[24:])
	r.Lane = binary.LittleEndian.Uint64(body[32:])
	r.Shard = binary.LittleEndian.Uint32(body[40:])
	r.Name = name(body[frameFixed:end])
	r.Data = body[end:len(body):len(body)]
	r.Lost = 0
	return r.Index <= maxIndex
}
