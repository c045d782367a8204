package closure

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// Write writes a snapshot of a closure, for a comparison when it is in no store any
// more: the JSON array [{"path": …, "narSize": …}], in gzip. The same paths give the
// same bytes. w is not closed.
func Write(w io.Writer, paths []Path) error {
	if paths == nil {
		paths = []Path{}
	}
	zip := gzip.NewWriter(w)
	if err := json.NewEncoder(zip).Encode(paths); err != nil {
		return fmt.Errorf("write a closure's snapshot: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("write a closure's snapshot: %w", err)
	}
	return nil
}

// Read reads a snapshot that Write wrote, ordered by path. It errors where the
// snapshot is cut off or damaged.
func Read(r io.Reader) ([]Path, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read a closure's snapshot: %w", err)
	}
	paths, err := Parse(zip)
	if err != nil {
		return nil, fmt.Errorf("read a closure's snapshot: %w", err)
	}
	return paths, nil
}
