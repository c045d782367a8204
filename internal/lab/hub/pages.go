package hub

import "net/http"

func (h *Hub) pageRoutes() http.Handler { return http.NotFoundHandler() }
