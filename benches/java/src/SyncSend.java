import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * Synchronous sends with the stock client: SyncSend namesrv topic threads bodyBytes warmupSeconds seconds.
 *
 * Prints "begin" and "end" when the measured time begins and ends, so that whoever started it can read the server's CPU time at
 * these moments, and last "result messages failed p50 p99 p99.9 max", the latencies in microseconds.
 */
public final class SyncSend {
    private static final int LATENCIES_MAX = 4_000_000;

    private final DefaultMQProducer producer;
    private final Message message;
    private final int[] latencies = new int[LATENCIES_MAX];
    private final AtomicInteger sent = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();
    private final AtomicBoolean measuring = new AtomicBoolean();
    private final AtomicBoolean stopped = new AtomicBoolean();

    private SyncSend(DefaultMQProducer producer, String topic, int bytes) {
        this.producer = producer;
        byte[] body = new byte[bytes];
        new java.util.Random(1).nextBytes(body);
        this.message = new Message(topic, body);
    }

    public static void main(String[] args) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("bench-java-producer");
        producer.setNamesrvAddr(args[0]);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        SyncSend load = new SyncSend(producer, args[1], Integer.parseInt(args[3]));
        load.run(Integer.parseInt(args[2]), Double.parseDouble(args[4]), Double.parseDouble(args[5]));
        producer.shutdown();
        System.exit(0);
    }

    private void run(int threads, double warmup, double seconds) throws Exception {
        CountDownLatch ended = new CountDownLatch(threads);
        for (int i = 0; i < threads; i++) {
            new Thread(() -> {
                sendUntilStopped();
                ended.countDown();
            }).start();
        }
        Thread.sleep((long) (warmup * 1000));
        say("begin");
        measuring.set(true);
        Thread.sleep((long) (seconds * 1000));
        measuring.set(false);
        int messages = sent.get();
        say("end");
        stopped.set(true);
        ended.await();
        int[] sorted = Arrays.copyOf(latencies, Math.min(messages, LATENCIES_MAX));
        Arrays.sort(sorted);
        say("result " + messages + " " + failed.get() + " " + at(sorted, 0.5) + " " + at(sorted, 0.99) + " " + at(sorted, 0.999)
            + " " + at(sorted, 1.0));
    }

    private void sendUntilStopped() {
        while (!stopped.get()) {
            // A message of its own for each send: the client writes its unique key into it.
            Message own = new Message(message.getTopic(), message.getBody());
            long began = System.nanoTime();
            boolean stored = send(own);
            int micros = (int) Math.min((System.nanoTime() - began) / 1000, Integer.MAX_VALUE);
            if (!measuring.get()) {
                continue;
            }
            if (!stored) {
                failed.incrementAndGet();
                continue;
            }
            int index = sent.getAndIncrement();
            if (index < LATENCIES_MAX) {
                latencies[index] = micros;
            }
        }
    }

    private boolean send(Message own) {
        try {
            return producer.send(own).getSendStatus() == SendStatus.SEND_OK;
        } catch (Exception e) {
            return false;
        }
    }

    private static int at(int[] sorted, double quantile) {
        return sorted.length == 0 ? 0 : sorted[(int) Math.min(sorted.length - 1, (long) (sorted.length * quantile))];
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
