module peer_go_http

go 1.19

require (
	github.com/gorilla/websocket v1.5.0
	github.com/lib/pq v1.10.7
)

replace (
	github.com/gorilla/websocket => /usr/share/gocode/src/github.com/gorilla/websocket
	github.com/lib/pq => /usr/share/gocode/src/github.com/lib/pq
)
