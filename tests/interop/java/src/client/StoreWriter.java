import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Writes varied messages through a NameServer and appends what was stored to a manifest.
 *
 * <pre>java -cp CP StoreWriter namesrvAddr manifest count seed [undelayed]</pre>
 *
 * Several topics and queues, tags, keys, properties, flags, batches, compressed bodies, delayed messages and bodies of
 * 0 to 100 KiB, drawn from the seed. The manifest is made from what a consumer reads, compared with what was sent.
 * A broker that is killed may deliver delayed messages again, as Java does: then they must be left out.
 */
public final class StoreWriter {
    private static final int TOPICS = 5;
    private static final int IN_FLIGHT = 64;
    /** A Java slave that was started this moment reports its offset after 5 s and more; a send to its SYNC_MASTER waits for it. */
    private static final int SEND_TIMEOUT_MILLIS = 300_000;

    private final Env env;
    private final Random random;
    private final boolean delayed;
    private final List<String> topics = new ArrayList<>();
    private final Map<String, Message> sent = new HashMap<>();
    private final java.util.concurrent.Semaphore window = new java.util.concurrent.Semaphore(IN_FLIGHT);
    private final List<Throwable> errors = java.util.Collections.synchronizedList(new ArrayList<>());
    private int number;

    private StoreWriter(Env env, long seed, boolean delayed) throws Exception {
        this.env = env;
        this.delayed = delayed;
        random = new Random(seed);
        for (int i = 0; i < TOPICS; i++) {
            topics.add(env.topic("store-" + i, 1 + 2 * i));
        }
    }

    public static void main(String[] args) throws Exception {
        Env env = new Env(new Shared(args[0]), Map.of(), "store-writer");
        int status = 1;
        try {
            StoreWriter writer = new StoreWriter(env, Long.parseLong(args[3]), args.length == 4);
            writer.write(Integer.parseInt(args[2]));
            writer.manifest(Path.of(args[1]));
            System.out.println("PASS store-writer");
            status = 0;
        } catch (Throwable e) {
            System.out.println("FAIL store-writer " + e);
            e.printStackTrace();
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private void write(int count) throws Exception {
        DefaultMQProducer producer = env.ownProducer("store-writer");
        producer.setCompressMsgBodyOverHowmuch(4096);
        producer.setSendMsgTimeout(SEND_TIMEOUT_MILLIS);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        producer.start();
        while (number < count) {
            String topic = topics.get(random.nextInt(TOPICS));
            if (random.nextInt(20) == 0) {
                List<Message> batch = new ArrayList<>();
                for (int n = Math.min(2 + random.nextInt(30), count - number); n > 0; n--) {
                    Message message = next(topic, 2048);
                    message.setDelayTimeLevel(0);
                    batch.add(message);
                }
                producer.send(batch);
            } else {
                sendAsync(producer, next(topic, 100 * 1024));
            }
        }
        window.acquire(IN_FLIGHT);
        env.equal("errors", List.of(), errors);
        long expected = count;
        env.eventually(count + " stored, delayed ones too", 120, () -> {
            long stored = 0;
            for (String topic : topics) {
                stored += env.stored(topic);
            }
            return stored == expected;
        });
    }

    private void sendAsync(DefaultMQProducer producer, Message message) throws Exception {
        window.acquire();
        producer.send(message, new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                window.release();
            }

            @Override
            public void onException(Throwable e) {
                errors.add(e);
                window.release();
            }
        });
    }

    /** Most bodies are small; one in sixteen is large. Half of the large ones can be compressed. */
    private Message next(String topic, int largest) {
        int size = random.nextInt(random.nextInt(16) == 0 ? largest + 1 : 600);
        byte[] body = new byte[size];
        if (random.nextBoolean()) {
            random.nextBytes(body);
        }
        Message message = new Message(topic, body.length == 0 ? new byte[]{1} : body);
        if (random.nextInt(4) != 0) {
            message.setTags("tag" + random.nextInt(7));
        }
        if (random.nextInt(3) != 0) {
            message.setKeys("key" + number + " group" + random.nextInt(50));
        }
        message.setFlag(random.nextInt());
        for (int n = random.nextInt(4); n > 0; n--) {
            message.putUserProperty("property" + n, "wert-ß-" + random.nextInt());
        }
        message.putUserProperty("number", String.valueOf(number));
        if (delayed && random.nextInt(50) == 0) {
            message.setDelayTimeLevel(1 + random.nextInt(2));
        }
        sent.put(String.valueOf(number++), new Message(topic, message.getTags(), message.getKeys(), message.getFlag(), message.getBody(), true));
        return message;
    }

    private void manifest(Path file) throws Exception {
        List<String> lines = new ArrayList<>();
        for (String topic : topics) {
            for (MessageExt stored : env.readAll(topic)) {
                Message original = sent.remove(stored.getUserProperty("number"));
                if (original == null || !original.getTopic().equals(topic) || original.getFlag() != stored.getFlag()
                    || !java.util.Arrays.equals(original.getBody(), stored.getBody())) {
                    env.equal("message as sent", original, stored);
                }
                lines.add(Manifest.of(stored).line());
            }
        }
        env.equal("messages not read back", 0, sent.size());
        Files.write(file, lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        env.ok(lines.size() + " lines appended to " + file);
    }
}
