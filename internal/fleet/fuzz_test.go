package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func FuzzParseNeverPanics(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file) // #nosec G304 -- testdata
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fleet, err := Parse("snowdrop.yaml", data)
		var faults Errors
		switch {
		case err == nil && len(fleet.Servers) == 0:
			t.Error("accepted a fleet without servers")
		case err != nil && (!errors.As(err, &faults) || err.Error() == ""):
			t.Errorf("%T is not Errors", err)
		}
		for _, fault := range faults {
			if fault.Message == "" || fault.Line < 0 || (fault.Line > 0 && fault.Column < 1) {
				t.Errorf("a fault without words or place: %+v", fault)
			}
		}
	})
}
