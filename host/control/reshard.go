package control

// Reshard says what the sessions shall be replaced by.
type Reshard struct {
	// Shards is their number; 0 stands for what Discord recommends.
	Shards int `json:"shards"`
}
