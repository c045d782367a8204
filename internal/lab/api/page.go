package api

import (
	"fmt"
	"net/url"
	"strconv"
)

// page cuts a list as the query's page and per_page say, and adds links and meta.
func page[T any](c *call, key string, all []T) (int, any, error) {
	q := c.URL.Query()
	size, err := count(q, "per_page", 20)
	if err != nil {
		return 0, nil, err
	}
	number, err := count(q, "page", 1)
	if err != nil {
		return 0, nil, err
	}
	size = min(size, 200)
	last := max(1, (len(all)+size-1)/size)
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))

	pages := map[string]string{}
	link := func(name string, n int) {
		q := c.URL.Query()
		q.Set("page", strconv.Itoa(n))
		pages[name] = fmt.Sprintf("http://%s%s?%s", c.Host, c.URL.Path, q.Encode())
	}
	if number > 1 {
		link("first", 1)
		link("prev", number-1)
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	links := map[string]any{}
	if len(pages) > 0 {
		links["pages"] = pages
	}
	items := append(make([]T, 0, to-from), all[from:to]...)
	return 200, map[string]any{key: items, "links": links, "meta": map[string]int{"total": len(all)}}, nil
}

func count(q url.Values, name string, otherwise int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, badRequest(name + " must be a number above 0")
	}
	return n, nil
}
