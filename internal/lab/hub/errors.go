package hub

import (
	"fmt"
	"net/http"
	"time"
)

// apiError is an answer that is not a success.
type apiError struct {
	status  int
	message string
	// details stand below "errors": objects, or plain strings.
	details []any
	// docs is empty for the part that belongs to the route.
	docs       string
	retryAfter time.Duration
}

func (e *apiError) Error() string { return e.message }

func notFound() error { return &apiError{status: http.StatusNotFound, message: "Not Found"} }

func forbidden(format string, args ...any) error {
	return &apiError{status: http.StatusForbidden, message: fmt.Sprintf(format, args...)}
}

func unprocessable(format string, args ...any) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: fmt.Sprintf(format, args...)}
}

// invalid is what a request is answered that does not have the form that the
// description asks for, such as "No more than 50 items are allowed; 51 were
// supplied."
func invalid(format string, args ...any) error {
	return unprocessable("Invalid request.\n\n"+format, args...)
}

// detail is one of the errors of a request whose content is refused.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
type detail struct {
	Resource string `json:"resource"`
	Code     string `json:"code"`
	Field    string `json:"field"`
	Message  string `json:"message,omitempty"`
}

func validationFailed(details ...any) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", details: details}
}
