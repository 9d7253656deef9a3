package cache

import _ "github.com/dgraph-io/ristretto/v2"
