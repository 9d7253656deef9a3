package state

import "testing"

// The kernel says of a folder that it cannot make in /proc what it says of one
// whose parent is missing.
func TestAFolderThatTakesNoFolders(t *testing.T) {
	_, err := Open("/proc/holdfast", nil)
	const want = "create state folder /proc/holdfast: /proc takes no folders: give another --state"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
