package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// commentLimit is in characters.
const commentLimit = 65536

func (h *Hub) commentRoutes() []route {
	// A comment on a pull request takes either permission.
	either := []string{"issues", "pull-requests"}
	return []route{
		{"GET /repos/{owner}/{repo}/issues/{first}/{second}", either, "issues/comments", h.readComments},
		{"POST /repos/{owner}/{repo}/issues/{number}/comments", either, "issues/comments#create-an-issue-comment", h.createComment},
		{"PATCH /repos/{owner}/{repo}/issues/comments/{id}", either, "issues/comments#update-an-issue-comment", h.updateComment},
	}
}

// readComments tells issues/{number}/comments from issues/comments/{id}: two such
// patterns are too alike for a ServeMux.
func (h *Hub) readComments(c *call) (int, any, error) {
	first, second := c.PathValue("first"), c.PathValue("second")
	switch {
	case first == "comments":
		c.SetPathValue("id", second)
		return h.getComment(c)
	case second == "comments":
		c.SetPathValue("number", first)
		return h.listComments(c)
	default:
		return 0, nil, notFound()
	}
}

func (h *Hub) listComments(c *call) (int, any, error) {
	number := int(c.number("number"))
	if h.pull(number) == nil {
		return 0, nil, notFound()
	}
	since, _ := time.Parse(time.RFC3339, c.URL.Query().Get("since"))
	var found []*Comment
	for _, k := range h.comments {
		if k.Pull == number && !k.UpdatedAt.Before(since) {
			found = append(found, k)
		}
	}
	return http.StatusOK, list(page(c, found, 30), c.comment), nil
}

func (h *Hub) createComment(c *call) (int, any, error) {
	number := int(c.number("number"))
	if h.pull(number) == nil {
		return 0, nil, notFound()
	}
	body, err := c.commentBody()
	if err != nil {
		return 0, nil, err
	}
	k := &Comment{ID: h.id(), Pull: number, Author: c.token.Login, Body: body, CreatedAt: h.now(), UpdatedAt: h.now()}
	h.comments = append(h.comments, k)
	return http.StatusCreated, c.comment(k), nil
}

func (h *Hub) getComment(c *call) (int, any, error) {
	k, err := h.comment(c)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.comment(k), nil
}

func (h *Hub) updateComment(c *call) (int, any, error) {
	k, err := h.comment(c)
	if err != nil {
		return 0, nil, err
	}
	body, err := c.commentBody()
	if err != nil {
		return 0, nil, err
	}
	k.Earlier, k.Body, k.UpdatedAt = append(k.Earlier, k.Body), body, h.now()
	return http.StatusOK, c.comment(k), nil
}

func (h *Hub) comment(c *call) (*Comment, error) {
	i := slices.IndexFunc(h.comments, func(k *Comment) bool { return k.ID == c.number("id") })
	if i < 0 {
		return nil, notFound()
	}
	return h.comments[i], nil
}

// commentBody reads a body and refuses what is none.
func (c *call) commentBody() (string, error) {
	var in struct {
		Body *string `json:"body"`
	}
	if err := c.read(&in); err != nil {
		return "", err
	}
	refuse := func(message string) error {
		return validationFailed(detail{Resource: "IssueComment", Code: "unprocessable", Field: "data", Message: message})
	}
	switch {
	case in.Body == nil:
		return "", invalid(`"body" wasn't supplied.`)
	case strings.TrimSpace(*in.Body) == "":
		return "", refuse("Body can not be blank")
	case utf8.RuneCountInString(*in.Body) > commentLimit:
		return "", refuse(fmt.Sprintf("Body is too long (maximum is %d characters)", commentLimit))
	}
	return *in.Body, nil
}

func (l links) comment(k *Comment) map[string]any {
	out := map[string]any{
		"id": k.ID, "node_id": nodeID("IC", k.ID), "url": l.api("issues/comments", k.ID), "issue_url": l.api("issues", k.Pull),
		"html_url": fmt.Sprintf("%s#issuecomment-%d", l.page("pull", k.Pull), k.ID), "user": l.user(k.Author), "body": k.Body,
		"created_at": stamp(k.CreatedAt), "updated_at": stamp(k.UpdatedAt), "author_association": "CONTRIBUTOR", "performed_via_github_app": nil,
	}
	if strings.HasSuffix(k.Author, "[bot]") {
		out["author_association"], out["performed_via_github_app"] = "NONE", l.app(k.Author)
	}
	return out
}
