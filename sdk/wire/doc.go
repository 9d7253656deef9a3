// Package wire is the contract between a Holdfast host and its plugins: the
// protobuf services (wire.proto and its generated code), the layout of event
// frames, the handshake, and the hashicorp/go-plugin glue for both sides.
//
// It owns no goroutine and no channel. Everything in it is safe for
// concurrent use unless a comment says otherwise.
package wire

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative wire.proto
