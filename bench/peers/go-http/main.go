// A server with net/http, and gorilla/websocket for WebSockets: peer_go_http PORT [KIND]
package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

func hello(answer http.ResponseWriter, _ *http.Request) {
	answer.Header().Set("Content-Type", "text/plain")
	answer.Write([]byte("Hello, world!"))
}

// As in gorilla's own examples: without buffers of its own, the connection keeps those of net/http.
var upgrader = websocket.Upgrader{}

func echo(answer http.ResponseWriter, asked *http.Request) {
	socket, err := upgrader.Upgrade(answer, asked, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil || socket.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func events(answer http.ResponseWriter, asked *http.Request) {
	answer.Header().Set("Content-Type", "text/event-stream")
	for i := 0; i < 10; i++ {
		fmt.Fprint(answer, "data: an event of a stream that is weighed\n\n")
		answer.(http.Flusher).Flush()
	}
	<-asked.Context().Done()
}

var (
	lock    sync.Mutex
	release = make(chan struct{})
)

func poll(answer http.ResponseWriter, asked *http.Request) {
	if asked.URL.Path == "/release" {
		lock.Lock()
		close(release)
		release = make(chan struct{})
		lock.Unlock()
		hello(answer, asked)
		return
	}
	lock.Lock()
	until := release
	lock.Unlock()
	select {
	case <-until:
		hello(answer, asked)
	case <-asked.Context().Done():
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	kind := "http"
	if len(os.Args) == 3 {
		kind = os.Args[2]
	}
	handlers := map[string]http.HandlerFunc{"http": hello, "https": hello, "websocket": echo, "websocket-tls": echo,
		"sse": events, "long-poll": poll}
	handler, known := handlers[kind]
	if len(os.Args) < 2 || len(os.Args) > 3 || !known {
		fmt.Fprintln(os.Stderr, "usage: peer_go_http PORT [KIND]")
		os.Exit(2)
	}
	address := "127.0.0.1:" + os.Args[1]
	var err error
	if kind == "https" || kind == "websocket-tls" {
		err = http.ListenAndServeTLS(address, os.Getenv("TLS_CERTIFICATE"), os.Getenv("TLS_KEY"), handler)
	} else {
		err = http.ListenAndServe(address, handler)
	}
	fmt.Fprintln(os.Stderr, "peer_go_http:", err)
	os.Exit(1)
}
