//go:build !linux

package host

// OnEvidence cannot be told on this system.
func OnEvidence(string, []string) (string, error) { return "", ErrUnsupported }
