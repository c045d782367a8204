package nix

import (
	"errors"
	"testing"
)

func TestOnlyConfigurationsAreInstalled(t *testing.T) {
	t.Parallel()
	for _, system := range []string{".#web-toplevel", ".#nixosConfigurations.web.config.system.build.image", "/nix/store/x"} {
		if _, err := fake(t, Config{}).Installation(t.Context(), system); !errors.Is(err, ErrNoConfiguration) {
			t.Errorf("%s: %v", system, err)
		}
	}
}
