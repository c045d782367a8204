//go:build !unix

package activate

import "errors"

func kill(*box) error { return errors.ErrUnsupported }
