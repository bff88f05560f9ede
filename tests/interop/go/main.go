// A stock Go client against any NameServer.
//
//	interop namesrvAddr topic count
//
// Sends count messages synchronously, count asynchronously, count one way and count in one batch, consumes all with a
// push consumer (tags a || b), then lets one message be delivered again. Prints PASS name or FAIL name reason; the
// exit code is 0 if all passed.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

type received struct {
	mutex sync.Mutex
	times map[string]int
}

func (r *received) add(body string) int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.times[body]++
	return r.times[body]
}

func (r *received) count() (distinct, total int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, n := range r.times {
		total += n
	}
	return len(r.times), total
}

func main() {
	rlog.SetLogLevel("error")
	count, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = run(os.Args[1], os.Args[2], count)
	}
	if err != nil {
		fmt.Println("FAIL go", err)
		os.Exit(1)
	}
	fmt.Println("PASS go")
}

func run(namesrv, topic string, count int) error {
	p, err := rocketmq.NewProducer(producer.WithNameServer([]string{namesrv}), producer.WithGroupName("go-producer"), producer.WithRetry(2))
	if err != nil {
		return err
	}
	if err = p.Start(); err != nil {
		return err
	}
	defer p.Shutdown()
	for _, send := range []func(rocketmq.Producer, string, int) error{sendSync, sendAsync, sendOneway, sendBatch} {
		if err = send(p, topic, count); err != nil {
			return err
		}
	}
	return consume(namesrv, topic, 4*count, func() error { return send(p, topic, "a", "again") })
}

func message(topic, tag, body string) *primitive.Message {
	m := primitive.NewMessage(topic, []byte(body))
	m.WithTag(tag)
	m.WithKeys([]string{"key-" + body})
	m.WithProperty("sender", "go")
	return m
}

func send(p rocketmq.Producer, topic, tag, body string) error {
	result, err := p.SendSync(context.Background(), message(topic, tag, body))
	if err != nil {
		return err
	}
	if result.Status != primitive.SendOK {
		return fmt.Errorf("status %v of %s", result.Status, body)
	}
	return nil
}

func sendSync(p rocketmq.Producer, topic string, count int) error {
	for i := 0; i < count; i++ {
		if err := send(p, topic, "a", fmt.Sprint("sync", i)); err != nil {
			return err
		}
	}
	// Filtered out by the consumer's tags.
	return send(p, topic, "c", "filtered")
}

func sendAsync(p rocketmq.Producer, topic string, count int) error {
	errors := make(chan error, count)
	for i := 0; i < count; i++ {
		err := p.SendAsync(context.Background(), func(_ context.Context, _ *primitive.SendResult, err error) { errors <- err },
			message(topic, "b", fmt.Sprint("async", i)))
		if err != nil {
			return err
		}
	}
	for i := 0; i < count; i++ {
		if err := <-errors; err != nil {
			return err
		}
	}
	return nil
}

func sendOneway(p rocketmq.Producer, topic string, count int) error {
	for i := 0; i < count; i++ {
		if err := p.SendOneWay(context.Background(), message(topic, "a", fmt.Sprint("oneway", i))); err != nil {
			return err
		}
	}
	return nil
}

func sendBatch(p rocketmq.Producer, topic string, count int) error {
	var batch []*primitive.Message
	for i := 0; i < count; i++ {
		batch = append(batch, message(topic, "b", fmt.Sprint("batch", i)))
	}
	_, err := p.SendSync(context.Background(), batch...)
	return err
}

// consume waits for want messages, then for one more that is handed back once and delivered a second time.
func consume(namesrv, topic string, want int, sendAgain func() error) error {
	c, err := rocketmq.NewPushConsumer(consumer.WithNameServer([]string{namesrv}), consumer.WithGroupName("go-"+topic),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil {
		return err
	}
	seen := &received{times: map[string]int{}}
	tags := consumer.MessageSelector{Type: consumer.TAG, Expression: "a || b"}
	err = c.Subscribe(topic, tags, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		result := consumer.ConsumeSuccess
		for _, m := range messages {
			if m.GetProperty("sender") != "go" || m.GetKeys() != "key-"+string(m.Body) {
				fmt.Println("wrong properties", m)
			}
			if seen.add(string(m.Body)) == 1 && string(m.Body) == "again" {
				result = consumer.ConsumeRetryLater
			}
		}
		return result, nil
	})
	if err != nil {
		return err
	}
	if err = c.Start(); err != nil {
		return err
	}
	defer c.Shutdown()
	if err = seen.wait(want, want); err != nil {
		return err
	}
	fmt.Println("go: ok consumed", want)
	if err = sendAgain(); err != nil {
		return err
	}
	if err = seen.wait(want+1, want+2); err != nil {
		return err
	}
	fmt.Println("go: ok delivered again")
	return nil
}

func (r *received) wait(distinct, total int) error {
	var d, t int
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if d, t = r.count(); d == distinct && t == total {
			return nil
		}
	}
	return fmt.Errorf("expected %d messages, %d deliveries, got %d, %d", distinct, total, d, t)
}
