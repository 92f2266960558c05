// A server with net/http, and gorilla/websocket for WebSockets: peer_go_http PORT [KIND]
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	_ "github.com/lib/pq"
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

type item struct {
	ID    int64   `json:"id"`
	Name  string  `json:"name"`
	Price float64 `json:"price"`
}

func items(database *sql.DB) http.HandlerFunc {
	return func(answer http.ResponseWriter, asked *http.Request) {
		var found item
		id := strings.TrimPrefix(asked.URL.Path, "/items/")
		err := database.QueryRowContext(asked.Context(), "SELECT id, name, price FROM items WHERE id = $1", id).
			Scan(&found.ID, &found.Name, &found.Price)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		body, err := json.Marshal(found)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		answer.Write(body)
	}
}

// A pool of 16 connections, which stay open.
func openDatabase() *sql.DB {
	database, err := sql.Open("postgres", os.Getenv("DATABASE_URL")+"?sslmode=disable")
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer_go_http: DATABASE_URL:", err)
		os.Exit(1)
	}
	database.SetMaxOpenConns(16)
	database.SetMaxIdleConns(16)
	return database
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
	if kind == "database" {
		handlers[kind] = items(openDatabase())
	}
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
