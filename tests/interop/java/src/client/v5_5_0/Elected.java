import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;

/**
 * Stock clients of a DLedger group whose leader goes during sends.
 *
 * <pre>java -cp CP Elected namesrvAddr group memberAddr memberAddr memberAddr</pre>
 *
 * Prints WANT and what is to be done with the servers, and goes on when a line comes in. Nothing that was answered SEND_OK may be missing, and
 * of each queue the order of the messages that were sent to it one after the other stays.
 */
public final class Elected {
    /** Never a measure of speed. */
    private static final int PATIENCE_SECONDS = 300;
    private static final int EACH = 200;

    private final Env env;
    private final String group;
    private final List<String> members;
    private final List<String> acknowledged = new ArrayList<>();
    private final Set<String> consumed = Collections.synchronizedSet(new LinkedHashSet<>());
    private String topic;
    private DefaultMQProducer producer;

    private Elected(Env env, String[] args) {
        this.env = env;
        group = args[1];
        members = List.of(args).subList(2, args.length);
    }

    public static void main(String[] args) throws Exception {
        Env env = new Env(new Shared(args[0]), Map.of(), "elected");
        int status = 1;
        try {
            new Elected(env, args).tell();
            System.out.println("PASS elected");
            status = 0;
        } catch (Throwable e) {
            System.out.println("FAIL elected " + e);
            e.printStackTrace();
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private void tell() throws Exception {
        env.eventually("a leader and two followers are registered", PATIENCE_SECONDS, () -> registered().size() == 3);
        topic = env.topic("elected", 4);
        producer = env.ownProducer("elected");
        // A stock client asks for routes every 30 s; so it does here when the test need not wait.
        producer.setPollNameServerInterval(1000);
        producer.start();
        consume();
        send(EACH);
        String first = leader();

        // During sends: the producer is not told to stop.
        Thread sending = new Thread(() -> {
            try {
                send(EACH * 5);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        List<Throwable> failed = Collections.synchronizedList(new ArrayList<>());
        sending.setUncaughtExceptionHandler((thread, error) -> failed.add(error));
        sending.start();
        want("the leader is killed " + members.indexOf(first));
        sending.join();
        env.equal("errors of the sends", List.of(), failed);
        env.eventually("another one leads", PATIENCE_SECONDS, () -> leader() != null && !leader().equals(first));
        // It is registered under its own number until it is back; nobody else has its address.
        want("it is back " + members.indexOf(first));
        env.eventually("it is registered as a follower", PATIENCE_SECONDS, () -> first.equals(
            registered().get((long) members.indexOf(first) + 1)));
        send(EACH);

        env.eventually("everything acknowledged is consumed", PATIENCE_SECONDS, () -> consumed.containsAll(acknowledged));
        check();
    }

    /** What the NameServer says: id 0 for the leader, the number of dLegerSelfId and one more for a follower. */
    private Map<Long, String> registered() throws Exception {
        try {
            TopicRouteData route = env.admin.examineTopicRouteInfo("TBW102");
            return route.getBrokerDatas().stream().filter(broker -> broker.getBrokerName().equals(group))
                .findFirst().map(broker -> (Map<Long, String>) broker.getBrokerAddrs()).orElse(Map.of());
        } catch (MQClientException e) {
            return Map.of();
        }
    }

    private String leader() throws Exception {
        return registered().get(0L);
    }

    private void consume() throws Exception {
        DefaultMQPushConsumer consumer = env.push(env.unique("g-elected"));
        consumer.setPollNameServerInterval(1000);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                consumed.add(new String(message.getBody(), StandardCharsets.UTF_8));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    /** One after the other to queue n % 4, each until it is acknowledged. */
    private void send(int count) throws Exception {
        for (int i = 0; i < count; i++) {
            int number = acknowledged.size();
            String body = "message " + number;
            long deadline = System.currentTimeMillis() + PATIENCE_SECONDS * 1000L;
            while (true) {
                try {
                    Message message = new Message(topic, body.getBytes(StandardCharsets.UTF_8));
                    MessageQueue queue = new MessageQueue(topic, group, number % 4);
                    if (producer.send(message, queue).getSendStatus() == SendStatus.SEND_OK) {
                        break;
                    }
                } catch (Exception e) {
                    if (System.currentTimeMillis() > deadline) {
                        throw e;
                    }
                }
                Thread.sleep(20);
            }
            acknowledged.add(body);
        }
    }

    /** Every queue has its messages in order; one whose answer was lost may be there twice. */
    private void check() throws Exception {
        Map<Integer, List<String>> found = new java.util.TreeMap<>();
        for (MessageExt message : env.readAll(topic)) {
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            List<String> queue = found.computeIfAbsent(message.getQueueId(), id -> new ArrayList<>());
            if (queue.isEmpty() || !queue.get(queue.size() - 1).equals(body)) {
                queue.add(body);
            }
        }
        for (int queue = 0; queue < 4; queue++) {
            List<String> expected = new ArrayList<>();
            for (int number = queue; number < acknowledged.size(); number += 4) {
                expected.add(acknowledged.get(number));
            }
            env.that("queue " + queue + " has " + expected.size() + " messages in order", expected.equals(found.get(queue)));
        }
    }

    private void want(String what) throws Exception {
        System.out.println("WANT " + what);
        System.out.flush();
        while (System.in.read() != '\n') {
            // A line is the answer.
        }
    }
}
