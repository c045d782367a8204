package markdown

// Fault is an error as a text of its own, for a check whose server the run did not come
// to: nothing else is known of it. It is cut to what is left of a page beside it.
func Fault(err error) string { return fence(elide(cleanLines(err.Error()), faultLimit)) }
