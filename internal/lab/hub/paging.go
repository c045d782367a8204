package hub

import (
	"fmt"
	"strconv"
	"strings"
)

// page cuts a list as the query's page and per_page say, and sets the Link header,
// by which alone clients find the next page.
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
func page[T any](c *call, all []T, size int) []T {
	number := max(1, c.count("page", 1))
	size = min(max(1, c.count("per_page", size)), 100)
	last := max(1, (len(all)+size-1)/size)
	var found []string
	link := func(relation string, n int) {
		q := c.URL.Query()
		q.Set("page", strconv.Itoa(n))
		found = append(found, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.root, c.URL.EscapedPath(), q.Encode(), relation))
	}
	if number > 1 {
		link("prev", min(number-1, last))
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if number > 1 {
		link("first", 1)
	}
	if len(found) > 0 {
		c.header.Set("link", strings.Join(found, ", "))
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

// count reads a number of the query; what is none is ignored, as GitHub does.
func (c *call) count(name string, otherwise int) int {
	n, err := strconv.Atoi(c.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return n
}

// list makes JSON of every item; the result is never null.
func list[T any](items []T, as func(T) map[string]any) []map[string]any {
	out := make([]map[string]any, 0, len(items))
	for _, item := range items {
		out = append(out, as(item))
	}
	return out
}
