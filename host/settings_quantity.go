package host

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size; 0 stands for a setting's default.
type Bytes int64

const (
	kibibyte Bytes = 1 << 10
	mebibyte Bytes = 1 << 20
	gibibyte Bytes = 1 << 30
)

// String writes the size with the largest unit that fits it exactly.
func (b Bytes) String() string {
	switch {
	case b == 0:
		return "0"
	case b%gibibyte == 0:
		return strconv.FormatInt(int64(b/gibibyte), 10) + "GiB"
	case b%mebibyte == 0:
		return strconv.FormatInt(int64(b/mebibyte), 10) + "MiB"
	case b%kibibyte == 0:
		return strconv.FormatInt(int64(b/kibibyte), 10) + "KiB"
	default:
		return strconv.FormatInt(int64(b), 10)
	}
}

// UnmarshalText reads a number of bytes, KiB, MiB or GiB from 1 on. Units of a
// thousand are refused: who writes MB means one or the other.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), Bytes(1)
	for name, size := range map[string]Bytes{"KiB": kibibyte, "MiB": mebibyte, "GiB": gibibyte} {
		if cut, ok := strings.CutSuffix(number, name); ok {
			number, unit = strings.TrimSpace(cut), size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/int64(unit) {
		return fmt.Errorf("%q is not a size: write it like 64KiB, 256MiB or 1GiB", text)
	}
	*b = Bytes(n) * unit
	return nil
}

// Rate is how often something may happen in a second; 0 stands for a setting's
// default.
type Rate float64

// String writes the number as short as it is exact.
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) }

// UnmarshalText reads a number above 0.
func (r *Rate) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !positive(f) {
		return notARate(string(text))
	}
	*r = Rate(f)
	return nil
}

func positive(f float64) bool { return f > 0 && !math.IsInf(f, 0) }

func notARate(text string) error {
	return fmt.Errorf("%q is not a number a second: write it like 5 or 0.5", text)
}

// Count is how many of something; 0 stands for a setting's default.
type Count int

// String writes the number.
func (c Count) String() string { return strconv.Itoa(int(c)) }

// UnmarshalText reads a number from 1 on.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return notACount(string(text))
	}
	*c = Count(n)
	return nil
}

func notACount(text string) error {
	return fmt.Errorf("%q is not a number from 1 on: write it like 10", text)
}
