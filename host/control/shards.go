package control

// ShardRestart says which shard's connection to replace, and how.
type ShardRestart struct {
	Shard int `json:"shard"`
	// Identify gives the shard's session up and identifies anew, where it is
	// resumed without this.
	Identify bool `json:"identify"`
}

// Reshard says how many shards the bot is to have.
type Reshard struct {
	Shards int `json:"shards"` // 0: as many as Discord recommends
}

// Progress is one line of what is told of lasting work.
type Progress struct {
	// Line is a step that was taken, for a person.
	Line string `json:"line,omitempty"`
	// Done and Error end the work: one of them stands in the last line.
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}
