import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What one scenario gets: names of its own, clients that are closed after it, and checks that print a line each. */
final class Env {
    static final class Failed extends Exception {
        Failed(String message) {
            super(message);
        }
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    private static final AtomicLong COUNTER = new AtomicLong();

    final Shared shared;
    final DefaultMQAdminExt admin;
    final DefaultMQProducer producer;
    private final Map<String, String> options;
    private final String scenario;
    private final Deque<Runnable> closing = new ArrayDeque<>();

    Env(Shared shared, Map<String, String> options, String scenario) {
        this.shared = shared;
        this.admin = shared.admin;
        this.producer = shared.producer;
        this.options = options;
        this.scenario = scenario;
    }

    void close() {
        while (!closing.isEmpty()) {
            closing.pop().run();
        }
    }

    // Checks

    void ok(String what) {
        System.out.println(scenario + ": ok " + what);
    }

    void that(String what, boolean holds) throws Failed {
        if (!holds) {
            throw new Failed(what + ": does not hold");
        }
        ok(what);
    }

    void equal(String what, Object expected, Object actual) throws Failed {
        if (!Objects.equals(expected, actual)) {
            throw new Failed(what + ": expected " + shorten(expected) + ", got " + shorten(actual));
        }
        ok(what + " = " + shorten(actual));
    }

    /** Polls until the condition holds; a check fails only after the deadline, whatever the speed of the machine. */
    void eventually(String what, int seconds, Condition condition) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (!condition.holds()) {
            if (System.nanoTime() > end) {
                throw new Failed(what + ": not within " + seconds + " s");
            }
            Thread.sleep(20);
        }
        ok(what);
    }

    private static String shorten(Object value) {
        String text = String.valueOf(value);
        return text.length() <= 600 ? text : text.substring(0, 600) + "...";
    }

    // Names and topics

    String option(String key, String otherwise) {
        return options.getOrDefault(key, otherwise);
    }

    /** A name nobody used before, also not an earlier run against the same server. */
    String unique(String stem) {
        return stem + "-" + Long.toString(System.currentTimeMillis(), 36) + "-" + COUNTER.incrementAndGet();
    }

    /** The master addresses of the cluster by broker name. */
    Map<String, String> masters() throws Exception {
        Map<String, String> masters = new TreeMap<>();
        var brokers = admin.examineBrokerClusterInfo().getBrokerAddrTable();
        for (var broker : brokers.entrySet()) {
            masters.put(broker.getKey(), broker.getValue().getBrokerAddrs().get(0L));
        }
        return masters;
    }

    /** Makes a topic of its own on every master and waits until its route is known. */
    String topic(String stem, int queues, int perm) throws Exception {
        String topic = unique(stem);
        for (String address : masters().values()) {
            admin.createAndUpdateTopicConfig(address, new TopicConfig(topic, queues, queues, perm));
        }
        awaitRoute(topic, masters().size());
        return topic;
    }

    String topic(String stem, int queues) throws Exception {
        return topic(stem, queues, 6);
    }

    /** Makes a topic on the first master only: one broker, so an order over all queues can be stated. */
    String topicOnOne(String stem, int queues) throws Exception {
        String topic = unique(stem);
        admin.createAndUpdateTopicConfig(firstMaster().getValue(), new TopicConfig(topic, queues, queues, 6));
        awaitRoute(topic, 1);
        return topic;
    }

    Map.Entry<String, String> firstMaster() throws Exception {
        return masters().entrySet().iterator().next();
    }

    void awaitRoute(String topic, int brokers) throws Exception {
        eventually("route of " + topic, 60, () -> {
            try {
                return admin.examineTopicRouteInfo(topic).getQueueDatas().size() == brokers;
            } catch (Exception e) {
                return false;
            }
        });
    }

    // Clients

    DefaultMQPushConsumer push(String group) {
        return push(group, ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    }

    DefaultMQPushConsumer push(String group, ConsumeFromWhere from) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(null, group, null, new AllocateMessageQueueAveragely());
        consumer.setNamesrvAddr(shared.namesrv);
        consumer.setInstanceName(unique("push"));
        consumer.setClientIP("127.0.0.1");
        consumer.setConsumeFromWhere(from);
        consumer.setPollNameServerInterval(1000);
        consumer.setPersistConsumerOffsetInterval(1000);
        consumer.setConsumeThreadMin(4);
        consumer.setConsumeThreadMax(4);
        // Without it a shutdown does not wait for listeners that have just returned, whose offsets are then not committed.
        consumer.setAwaitTerminationMillisWhenShutdown(30_000);
        closing.push(consumer::shutdown);
        return consumer;
    }

    DefaultMQPullConsumer pull(String group) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        consumer.setNamesrvAddr(shared.namesrv);
        consumer.setInstanceName(unique("pull"));
        consumer.setClientIP("127.0.0.1");
        consumer.start();
        closing.push(consumer::shutdown);
        return consumer;
    }

    DefaultMQProducer ownProducer(String group) throws Exception {
        DefaultMQProducer own = new DefaultMQProducer(group);
        own.setNamesrvAddr(shared.namesrv);
        own.setInstanceName(unique("producer"));
        own.setClientIP("127.0.0.1");
        own.setSendMsgTimeout(10_000);
        closing.push(own::shutdown);
        return own;
    }

    void atEnd(Runnable close) {
        closing.push(close);
    }

    // Messages

    Message message(String topic, String tags, String body) {
        return new Message(topic, tags, body.getBytes(StandardCharsets.UTF_8));
    }

    static String body(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    static List<String> bodies(Collection<? extends Message> messages) {
        return messages.stream().map(Env::body).toList();
    }

    /**
     * Sends prefix0 .. prefix(n-1) to any queue, one after the other, and waits until all can be read: a Java broker
     * answers a send before its consume queue has the message.
     */
    List<SendResult> sendMany(String topic, String prefix, int n) throws Exception {
        List<SendResult> results = new ArrayList<>();
        Map<MessageQueue, Long> ends = new HashMap<>();
        for (int i = 0; i < n; i++) {
            SendResult result = producer.send(message(topic, "t", prefix + i));
            results.add(result);
            ends.put(result.getMessageQueue(), result.getQueueOffset() + 1);
        }
        eventually(n + " can be read", 60, () -> {
            for (var end : ends.entrySet()) {
                if (admin.maxOffset(end.getKey()) < end.getValue()) {
                    return false;
                }
            }
            return true;
        });
        return results;
    }

    List<MessageQueue> queues(String topic) throws Exception {
        List<MessageQueue> queues = new ArrayList<>(pull(unique("queues")).fetchSubscribeMessageQueues(topic));
        queues.sort(null);
        return queues;
    }

    /** Pulls every queue of a topic from its minimum to its maximum offset. */
    List<MessageExt> readAll(String topic) throws Exception {
        DefaultMQPullConsumer consumer = pull(unique("read"));
        List<MessageExt> all = new ArrayList<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            all.addAll(readQueue(consumer, queue));
        }
        return all;
    }

    /** Waits until a topic holds so many messages and reads them. */
    List<MessageExt> readAll(String topic, long count) throws Exception {
        eventually(count + " stored", 60, () -> stored(topic) >= count);
        return readAll(topic);
    }

    static List<MessageExt> readQueue(DefaultMQPullConsumer consumer, MessageQueue queue) throws Exception {
        List<MessageExt> all = new ArrayList<>();
        long offset = consumer.minOffset(queue);
        long end = consumer.maxOffset(queue);
        while (offset < end) {
            PullResult result = consumer.pull(queue, "*", offset, 32);
            if (result.getPullStatus() == PullStatus.FOUND) {
                all.addAll(result.getMsgFoundList());
            }
            offset = result.getNextBeginOffset();
        }
        return all;
    }

    /** The sum of the maximum offsets of all queues: how many messages a topic of its own holds. */
    long stored(String topic) throws Exception {
        long sum = 0;
        for (var entry : admin.examineTopicStats(topic).getOffsetTable().values()) {
            sum += entry.getMaxOffset() - entry.getMinOffset();
        }
        return sum;
    }
}
