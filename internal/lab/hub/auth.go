package hub

import (
	"net/http"
	"slices"
	"strings"
)

// authenticate finds the token of a request. GitHub takes "Bearer" and "token".
func (h *Hub) authenticate(r *http.Request) (Token, error) {
	kind, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if value == "" || (!strings.EqualFold(kind, "bearer") && !strings.EqualFold(kind, "token")) {
		return Token{}, &apiError{status: http.StatusUnauthorized, message: "Requires authentication"}
	}
	i := slices.IndexFunc(h.cfg.Tokens, func(t Token) bool { return t.Value == value })
	if i < 0 {
		return Token{}, &apiError{status: http.StatusUnauthorized, message: "Bad credentials", docs: docsRoot}
	}
	return h.cfg.Tokens[i], nil
}

// need fails with 403 unless the token has one of the permissions: to read for a
// GET, to write for others. Without any named, every token may. GitHub tells in a
// header what would do.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
func (c *call) need(permissions []string) error {
	if len(permissions) == 0 {
		return nil
	}
	level := "write"
	if c.Method == http.MethodGet {
		level = "read"
	}
	var accepted []string
	for _, p := range permissions {
		accepted = append(accepted, strings.ReplaceAll(p, "-", "_")+"="+level)
	}
	c.header.Set("x-accepted-github-permissions", strings.Join(accepted, "; "))
	if slices.ContainsFunc(permissions, func(p string) bool { return c.token.may(p, level) }) {
		return nil
	}
	if c.token.bot() {
		return forbidden("Resource not accessible by integration")
	}
	return forbidden("Resource not accessible by personal access token")
}

func (t Token) may(permission, level string) bool {
	if t.Permissions == nil {
		return true
	}
	has := t.Permissions[permission]
	return has == "write" || has == level
}
