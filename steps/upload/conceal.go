package upload

import (
	"net/url"
	"regexp"
	"strings"
)

// concealed is an error without the object's URL in its text.
type concealed struct {
	text string
	err  error
}

func (c *concealed) Error() string { return c.text }

func (c *concealed) Unwrap() error { return c.err }

// conceal takes the URL out of an error's text, wherever it came from: an API can
// quote what it was sent, JSON-escaped too. Everything of a presigned query goes.
func conceal(err error, address string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	plain := without(text, address)
	if plain == text {
		return err
	}
	return &concealed{text: plain, err: err}
}

func without(text, address string) string {
	const instead = "(the object's URL)"
	if address != "" {
		for _, form := range []string{address, strings.ReplaceAll(address, "&", `\u0026`), url.QueryEscape(address)} {
			text = strings.ReplaceAll(text, form, instead)
		}
	}
	return regexp.MustCompile(`(?i)X-Amz-[a-z-]+(=|%3D)[^&\s"'\\]+`).ReplaceAllString(text, "X-Amz-…")
}
