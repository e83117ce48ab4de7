// A model server in Go: SageMaker's container contract with nothing but the standard library. It
// routes labelled reviews: rows of text,label,score in, rows of queue,text out.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func queueOf(label string, score float64) string {
	switch {
	case score < 0.75:
		return "look at it"
	case label == "NEGATIVE":
		return "call back"
	default:
		return "thank"
	}
}

// route answers one mini-batch, or says what is wrong with it.
func route(in io.Reader, out io.Writer) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = 3
	results := csv.NewWriter(out)
	for number := 1; ; number++ {
		row, err := rows.Read()
		if err == io.EOF {
			results.Flush()
			return results.Error()
		}
		if err != nil {
			return err
		}
		score, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return fmt.Errorf("row %d: the score '%s' is no number", number, row[2])
		}
		if err := results.Write([]string{queueOf(row[1], score), row[0]}); err != nil {
			return err
		}
	}
}

func invocations(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST, please", http.StatusMethodNotAllowed)
		return
	}
	if kind := r.Header.Get("Content-Type"); kind != "text/csv" {
		http.Error(w, "this model reads text/csv, not "+kind, http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "text/csv")
	var reply replyBuffer
	if err := route(r.Body, &reply); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest) // 4xx: these records are bad input
		return
	}
	if _, err := w.Write(reply); err != nil {
		log.Print(err)
	}
}

// replyBuffer holds the whole reply: after its first byte a status could not be taken back.
type replyBuffer []byte

func (b *replyBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/invocations", invocations)

	// 8080, unless the platform says another.
	port := os.Getenv("SAGEMAKER_BIND_TO_PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: mux}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		if err := server.Shutdown(context.Background()); err != nil {
			log.Print(err)
		}
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
