// The workloads of bench/README.md on Go: goroutines.
//
//	peer_go WORKLOAD N
//	peer_go --version
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	forEver     = time.Hour
	atOnce      = time.Millisecond
	requestSize = 1024
	churnAlive  = 100_000
	churnRound  = 1_000
)

var (
	parked   atomic.Int64
	checksum atomic.Uint64
	all      sync.WaitGroup
)

// Counts the tasks when they are suspended.
func noted(length time.Duration) time.Duration {
	if length == forEver {
		parked.Add(1)
	}
	return length
}

// --- empty

func sleeper() {
	time.Sleep(noted(forEver))
}

// --- handler

// A connection, like net.Conn. The compiler does not know what is behind the interface, so the buffer passed to it is
// on the heap, as in a service.
type connection interface {
	Read(buffer []byte) (int, error)
	Write(response []byte) (int, error)
}

type slow struct{ untilArrival time.Duration }

func (s slow) Read(buffer []byte) (int, error) {
	time.Sleep(noted(s.untilArrival))
	for i := range buffer[:requestSize] {
		buffer[i] = 7
	}
	return requestSize, nil
}

func (s slow) Write(response []byte) (int, error) {
	time.Sleep(atOnce)
	checksum.Add(uint64(response[len(response)-1]))
	return len(response), nil
}

func keyOf(request []byte) uint64 {
	var key uint64
	for _, one := range request {
		key = key*31 + uint64(one)
	}
	return key
}

func query(key uint64, latency time.Duration) uint64 {
	time.Sleep(noted(latency))
	return key*31 + 7
}

func buildResponse(row uint64, id byte) []byte {
	response := make([]byte, 0, 2048)
	response = append(response, id)
	for len(response) < requestSize {
		response = append(response, byte(row>>(len(response)%8*8)))
	}
	return response
}

func handler(c connection, latency time.Duration) {
	request := make([]byte, 4096)
	size, _ := c.Read(request)
	row := query(keyOf(request[:size]), latency)
	response := buildResponse(row, request[0])
	c.Write(response)
}

var buffers = sync.Pool{New: func() any { return new([4096]byte) }}

func trimmedHandler(c connection, latency time.Duration) {
	key, id := func() (uint64, byte) {
		request := buffers.Get().(*[4096]byte)
		defer buffers.Put(request)
		size, _ := c.Read(request[:])
		return keyOf(request[:size]), request[0]
	}()
	row := query(key, latency)
	response := buildResponse(row, id)
	c.Write(response)
}

// --- nested

//go:noinline
func nested(level int, value uint64, atLeaf time.Duration) uint64 {
	if level == 1 {
		time.Sleep(noted(atLeaf))
		return value
	}
	return value + nested(level-1, value+1, atLeaf)
}

func nestedTask(atTop, atLeaf time.Duration) {
	if atTop == forEver {
		time.Sleep(noted(atTop))
	}
	checksum.Add(nested(8, 1, atLeaf))
}

// --- mostly-ready

//go:noinline
func lookUp(i uint64) uint64 {
	if i%100 == 0 {
		runtime.Gosched()
	}
	return i
}

func mostlyReady(n int) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var sum uint64
	for i := 0; i < n; i++ {
		sum += lookUp(uint64(i))
	}
	seconds := time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	checksum.Add(sum)
	fmt.Printf("seconds=%v\nallocations=%d\nallocated_bytes=%d\n", seconds, after.Mallocs-before.Mallocs,
		after.TotalAlloc-before.TotalAlloc)
}

// --- churn

func churn(n int) {
	start := time.Now()
	for done := 0; done < n; done += churnRound {
		end := done + churnRound
		if end > n {
			end = n
		}
		var round sync.WaitGroup
		round.Add(end - done)
		for i := done; i < end; i++ {
			go func(i int) {
				defer round.Done()
				runtime.Gosched()
				checksum.Add(uint64(i))
			}(i)
		}
		round.Wait()
	}
	fmt.Printf("seconds=%v\n", time.Since(start).Seconds())
}

// --- the program

func park(workload string, n int, task func()) {
	if workload == "churn" {
		n, task = churnAlive, sleeper
	}
	start := time.Now()
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer all.Done()
			task()
		}()
	}
	for parked.Load() < int64(n) {
		time.Sleep(atOnce)
	}
	fmt.Printf("spawn_seconds=%v\n", time.Since(start).Seconds())
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: peer_go WORKLOAD N")
	os.Exit(2)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	tasks := map[string]func(){
		"empty":            sleeper,
		"handler-at-read":  func() { handler(slow{forEver}, atOnce) },
		"handler-at-query": func() { handler(slow{atOnce}, forEver) },
		"trimmed-at-read":  func() { trimmedHandler(slow{forEver}, atOnce) },
		"trimmed-at-query": func() { trimmedHandler(slow{atOnce}, forEver) },
		"nested-at-leaf":   func() { nestedTask(atOnce, forEver) },
		"nested-at-top":    func() { nestedTask(forEver, atOnce) },
		"churn":            sleeper,
		"mostly-ready":     nil,
	}
	if len(os.Args) != 3 {
		usage()
	}
	workload := os.Args[1]
	task, known := tasks[workload]
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n < 0 || !known {
		usage()
	}
	if workload == "mostly-ready" {
		mostlyReady(n)
	} else {
		park(workload, n, task)
	}
	if workload == "churn" {
		churn(n)
	}
	debug.FreeOSMemory()
	fmt.Println("READY")
	time.Sleep(forEver)
	all.Wait()
}
