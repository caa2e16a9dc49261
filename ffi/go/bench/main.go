// Command bench measures processor time a delta of thalweg and of net/http + encoding/json, against the same server in the same run.
//
//	go run ./bench [-rounds N] [-only NAME] [-record]
//
// The server, that of ffi/python/bench, has one core, the client another; rounds are interleaved and the best of each client counts. It
// needs python3 and taskset. -record writes benches/record/.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"thalweg"
)

const prompt = "go"

// client reads one reply, and gives the length of its text.
type client func(url string, deltas int) (int, error)

func thalwegTexts(url string, deltas int) (int, error) {
	run, err := start(url, deltas)
	if err != nil {
		return 0, err
	}
	var text strings.Builder
	texts := run.Texts()
	for texts.Next() {
		text.WriteString(texts.Text())
	}
	return text.Len(), texts.Err()
}

func thalwegEvents(url string, deltas int) (int, error) {
	run, err := start(url, deltas)
	if err != nil {
		return 0, err
	}
	var text strings.Builder
	events := run.Events()
	for events.Next() {
		if event := events.Event(); event.Kind == thalweg.TextDelta {
			text.WriteString(event.Text)
		}
	}
	return text.Len(), events.Err()
}

func start(url string, deltas int) (*thalweg.Run, error) {
	options := thalweg.Options{Model: fmt.Sprint("deltas-", deltas), BaseURL: url + "/v1", APIKey: "none"}
	agent, err := thalweg.NewAgent(options)
	if err != nil {
		return nil, err
	}
	return agent.Prompt(context.Background(), prompt)
}

func byHand(url string, deltas int) (int, error) {
	body := fmt.Sprintf(`{"model":"deltas-%d","stream":true,"messages":[{"role":"user","content":%q}]}`, deltas, prompt)
	response, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var text strings.Builder
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		data := bytes.TrimPrefix(lines.Bytes(), []byte("data: "))
		if len(data) == 0 || data[0] != '{' {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			return 0, err
		}
		if len(chunk.Choices) > 0 {
			text.WriteString(chunk.Choices[0].Delta.Content)
		}
	}
	return text.Len(), lines.Err()
}

var clients = map[string]client{"thalweg_texts": thalwegTexts, "thalweg_events": thalwegEvents, "by_hand": byHand}

type row struct {
	client, title string
	// Of one stream: the slow ones get fewer.
	deltas int
}

var parts = []struct {
	title   string
	streams int
	rows    []row
}{
	{"One stream", 1, []row{
		{"thalweg_texts", "thalweg, `run.Texts()`", 300_000},
		{"thalweg_events", "thalweg, `run.Events()`", 300_000},
		{"by_hand", "net/http + encoding/json by hand", 100_000},
	}},
	{"1,000 streams at once", 1000, []row{
		{"thalweg_texts", "thalweg, `run.Texts()`", 1000},
		{"thalweg_events", "thalweg, `run.Events()`", 1000},
		{"by_hand", "net/http + encoding/json by hand", 200},
	}},
}

// seen is what one client took, in µs a delta.
type seen struct {
	CPU, Wall, RSS float64
}

// textLength is that of the text that a client must have in the end; as the server makes it.
func textLength(deltas int) int {
	words := []string{"The", " sky", " is", " blue", ",", " says", " Ray", "leigh", ".", " Light"}
	length := 0
	for number := 0; number < deltas; number++ {
		length += len(words[number%len(words)])
	}
	return length
}

func usage() (cpu time.Duration, rss float64) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), float64(used.Maxrss) / 1024
}

func measured(run client, url string, deltas, streams int) seen {
	before, _ := usage()
	began := time.Now()
	var all sync.WaitGroup
	for i := 0; i < streams; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			length, err := run(url, deltas)
			if err != nil || length != textLength(deltas) {
				log.Fatalf("%d letters of %d: %v", length, textLength(deltas), err)
			}
		}()
	}
	all.Wait()
	wall := time.Since(began)
	after, rss := usage()
	each := 1e3 * float64(deltas*streams)
	return seen{float64(after-before) / each, float64(wall) / each, rss}
}

// asClient is one client in one process.
func asClient(arguments []string) {
	deltas, _ := strconv.Atoi(arguments[2])
	streams, _ := strconv.Atoi(arguments[3])
	run := clients[arguments[0]]
	warm := 2000
	if deltas < warm {
		warm = deltas
	}
	measured(run, arguments[1], warm, 1)
	json.NewEncoder(os.Stdout).Encode(measured(run, arguments[1], deltas, streams))
}

func cores() (first, second string) {
	out, err := exec.Command("taskset", "-cp", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		log.Fatal("taskset: ", err)
	}
	list := strings.TrimSpace(string(out[bytes.LastIndexByte(out, ' ')+1:]))
	numbers := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '-' })
	return numbers[0], numbers[len(numbers)-1]
}

func measure(root string, rounds int, only string) map[string]seen {
	own, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	first, second := cores()
	server := exec.Command("taskset", "-c", second, "python3", filepath.Join(root, "ffi/python/bench/server.py"))
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		log.Fatal(err)
	}
	defer server.Process.Kill()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}
	best := map[string]seen{}
	for round := 0; round < rounds; round++ {
		for _, part := range parts {
			for _, each := range part.rows {
				if !strings.Contains(each.client, only) {
					continue
				}
				command := exec.Command("taskset", "-c", first, own, "client", each.client, strings.TrimSpace(url),
					strconv.Itoa(each.deltas), strconv.Itoa(part.streams))
				command.Stderr = os.Stderr
				text, err := command.Output()
				var took seen
				if err == nil {
					err = json.Unmarshal(text, &took)
				}
				if err != nil {
					log.Fatal(each.client, ": ", err)
				}
				fmt.Fprintf(os.Stderr, "%s: %s %.2f µs\n", part.title, each.client, took.CPU)
				key := part.title + each.client
				if before, ok := best[key]; !ok || took.CPU < before.CPU {
					best[key] = took
				}
			}
		}
	}
	return best
}

func table(best map[string]seen) string {
	var out strings.Builder
	for _, part := range parts {
		least := 0.0
		for _, each := range part.rows {
			took, ok := best[part.title+each.client]
			if !ok {
				continue
			}
			if least == 0 {
				least = took.CPU
				fmt.Fprintf(&out, "\n## %s\n\n| client | CPU a delta, µs | × | wall, µs | peak RSS, MiB |\n|---|---:|---:|---:|---:|\n", part.title)
			}
			fmt.Fprintf(&out, "| %s | %.2f | %.1f | %.2f | %.0f |\n", each.title, took.CPU, took.CPU/least, took.Wall, took.RSS)
		}
	}
	return out.String()
}

func text(command string, arguments ...string) string {
	out, err := exec.Command(command, arguments...).Output()
	if err != nil {
		log.Fatal(command, ": ", err)
	}
	return strings.TrimSpace(string(out))
}

func record(root string, rounds int, lines string) {
	model := text("sh", "-c", "sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1")
	load := strings.Fields(text("cat", "/proc/loadavg"))[1]
	day := time.Now().UTC().Format("2006-01-02")
	file := filepath.Join(root, "benches/record", day+"-go.md")
	body := fmt.Sprintf(`# Go clients, %s

%s, %d cores, Linux %s, %s, commit %s.
`+"`go run ./bench -rounds %d -record` in `ffi/go`"+`.

Processor time of the client's process, kernel and all threads included; plain HTTP on 127.0.0.1, the server on the other core;
each event one HTTP chunk of about 320 bytes. The best of the rounds. Load average of the machine afterwards: %s.
%s`, day, model, runtime.NumCPU(), text("uname", "-r"), runtime.Version(), text("git", "rev-parse", "--short", "HEAD"), rounds, load, lines)
	if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Println("\nwrote", file)
}

func main() {
	if len(os.Args) == 6 && os.Args[1] == "client" {
		asClient(os.Args[2:])
		return
	}
	rounds := flag.Int("rounds", 3, "how often each client is measured")
	only := flag.String("only", "", "part of a client's name")
	isRecorded := flag.Bool("record", false, "write benches/record/")
	flag.Parse()
	root := text("git", "rev-parse", "--show-toplevel")
	lines := table(measure(root, *rounds, *only))
	fmt.Print(lines)
	if *isRecorded {
		record(root, *rounds, lines)
	}
}
