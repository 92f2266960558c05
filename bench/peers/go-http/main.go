// A server with net/http that responds to everything with a fixed text: peer_go_http PORT
package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: peer_go_http PORT")
		os.Exit(2)
	}
	if os.Args[1] == "--version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	hello := func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "text/plain")
		answer.Write([]byte("Hello, world!"))
	}
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(hello)); err != nil {
		fmt.Fprintln(os.Stderr, "peer_go_http:", err)
		os.Exit(1)
	}
}
