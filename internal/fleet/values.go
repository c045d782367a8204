package fleet

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the duration as it is written in a fleet file: "10s", "1h30m".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText implements encoding.TextMarshaler, for YAML and for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration such as "90s". A number without a unit and a
// negative duration are errors.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return &valueError{fmt.Sprintf("%q is not a duration", s), "write a number and a unit, such as 10s, 20m or 1h30m"}
	}
	if parsed < 0 {
		return &valueError{fmt.Sprintf("%q is a negative duration", s), ""}
	}
	*d = Duration(parsed)
	return nil
}

// Size is how many droplets of total are rebuilt at once: at least 1, and no
// more than total. Percentages are rounded down, for the careful side.
func (b Batch) Size(total int) int {
	n := b.Count
	if b.Percent > 0 {
		n = total * b.Percent / 100
	}
	return max(1, min(n, total))
}

// String is the batch as it is written in a fleet file: "2" or "50%".
func (b Batch) String() string {
	if b.Percent > 0 {
		return strconv.Itoa(b.Percent) + "%"
	}
	return strconv.Itoa(b.Count)
}

// valueError is a value that cannot be read, with what to do about it.
type valueError struct{ message, hint string }

func (e *valueError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + ": " + e.hint
}

// parse reads "2" or "50%".
func (b *Batch) parse(s string) error {
	digits, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || (percent && n > 100) {
		return &valueError{
			fmt.Sprintf("%q is not a batch", s),
			`write a number of droplets from 1 on, or a percentage from "1%" to "100%"`,
		}
	}
	*b = Batch{Count: n}
	if percent {
		*b = Batch{Percent: n}
	}
	return nil
}

// value is what a batch is in YAML and JSON: a number or a string.
func (b Batch) value() any {
	if b.Percent > 0 {
		return b.String()
	}
	return b.Count
}

// MarshalYAML writes a number or a percentage.
func (b Batch) MarshalYAML() (any, error) { return b.value(), nil }

// UnmarshalYAML reads a number or a percentage.
func (b *Batch) UnmarshalYAML(unmarshal func(any) error) error {
	var v any
	if err := unmarshal(&v); err != nil {
		return fmt.Errorf("read a batch: %w", err)
	}
	return b.parse(fmt.Sprint(v))
}

// MarshalJSON writes a number or a percentage.
func (b Batch) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(b.value())
	if err != nil {
		return nil, fmt.Errorf("write batch %s: %w", b, err)
	}
	return data, nil
}

// UnmarshalJSON reads a number or a percentage.
func (b *Batch) UnmarshalJSON(data []byte) error {
	s := string(data)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	return b.parse(s)
}
