import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;

/**
 * Stock clients that go on while a slave acts for its master.
 *
 * <pre>java -cp CP Acting namesrvAddr masterAddr slaveAddr [otherMasterAddr [back]]</pre>
 *
 * Prints WANT and what is to be done with the servers, and goes on when a line comes in. The other master belongs to another group
 * and gets what the slave cannot store; without one that waits for the master. A Java slave asks for the topics of its master after a
 * minute, so they are made before it is there: the test can give it the file. With `back` consumers give messages back, which a
 * Java slave refuses unless the other master serves in its own process.
 */
public final class Acting {
    /** Never a measure of speed. */
    private static final int PATIENCE_SECONDS = 300;
    /** The last level of the brokers, see MESSAGE_DELAY_LEVEL of the tests. */
    private static final int LONG_LEVEL = 18;
    private static final int LONG_MILLIS = 15_000;
    private static final int QUEUES = 4;

    /** What one kind of client does before the master is killed, without it and when it is back. */
    private interface Part {
        void before() throws Exception;

        void without() throws Exception;

        void after() throws Exception;
    }

    private final Env env;
    private final String master;
    private final String slave;
    private final String other;
    private final boolean back;
    private final List<String> topics = new ArrayList<>();

    private Acting(Env env, String[] args) {
        this.env = env;
        master = args[1];
        slave = args[2];
        other = args.length > 3 ? args[3] : null;
        back = args.length > 4;
    }

    public static void main(String[] args) throws Exception {
        Env env = new Env(new Shared(args[0]), Map.of(), "acting");
        int status = 1;
        try {
            new Acting(env, args).tell();
            System.out.println("PASS acting");
            status = 0;
        } catch (Throwable e) {
            System.out.println("FAIL acting " + e);
            e.printStackTrace();
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private void tell() throws Exception {
        List<Part> parts = new ArrayList<>(List.of(new Reading()));
        if (back) {
            parts.add(new GivenBack());
        }
        // The last, because its messages must not come due before the master is gone.
        Delayed delayed = new Delayed();
        parts.add(delayed);
        want("the slave is there");
        env.eventually("the slave is registered", PATIENCE_SECONDS, () -> route().getBrokerDatas().stream()
            .anyMatch(broker -> broker.getBrokerAddrs().containsValue(slave)));
        for (String topic : topics) {
            env.eventually("the slave knows " + topic, PATIENCE_SECONDS, () -> holds(
                () -> env.admin.examineTopicConfig(slave, topic) != null));
        }
        for (Part part : parts) {
            part.before();
        }
        env.eventually("the slave has the log", PATIENCE_SECONDS, () -> end(slave) == end(master));
        want("the master is gone");
        delayed.gone();
        env.eventually("the slave is in its place", PATIENCE_SECONDS, () -> stands(slave, 4));
        for (Part part : parts) {
            part.without();
        }
        want("the master is back");
        env.eventually("the master is back", PATIENCE_SECONDS, () -> stands(master, 6));
        for (Part part : parts) {
            part.after();
        }
    }

    private static void want(String what) throws Exception {
        System.out.println("WANT " + what);
        System.out.flush();
        while (System.in.read() != '\n') {
            // The test has not done it yet.
        }
    }

    /** A topic on the given masters. */
    private String topic(String stem, String... masters) throws Exception {
        String topic = env.unique(stem);
        for (String address : masters) {
            env.admin.createAndUpdateTopicConfig(address, new TopicConfig(topic, QUEUES, QUEUES, 6));
        }
        env.awaitRoute(topic, masters.length);
        topics.add(topic);
        return topic;
    }

    private TopicRouteData route() throws Exception {
        return env.admin.examineTopicRouteInfo(topics.get(0));
    }

    /** Whether the NameServer shows this broker as the master of its name, and the name's queues with this permission. */
    private boolean stands(String address, int perm) throws Exception {
        var route = route();
        var broker = route.getBrokerDatas().stream().filter(b -> address.equals(b.getBrokerAddrs().get(0L))).findFirst();
        return broker.isPresent() && route.getQueueDatas().stream()
            .anyMatch(q -> q.getBrokerName().equals(broker.get().getBrokerName()) && q.getPerm() == perm);
    }

    private long end(String broker) throws Exception {
        return Long.parseLong(env.admin.fetchBrokerRuntimeStats(broker).getTable().get("commitLogMaxOffset"));
    }

    /** A broker that does not know something answers with an error. */
    private static boolean holds(Env.Condition condition) {
        try {
            return condition.holds();
        } catch (Exception e) {
            return false;
        }
    }

    /** What a group has committed at one broker, over all queues of a topic. */
    private long committed(String broker, String group, String topic) throws Exception {
        var stats = env.admin.examineConsumeStats(broker, group, topic, 10_000).getOffsetTable();
        return stats.values().stream().mapToLong(queue -> Math.max(queue.getConsumerOffset(), 0)).sum();
    }

    private void awaitCommitted(String broker, String group, String topic, long count) throws Exception {
        env.eventually(count + " committed at " + broker, PATIENCE_SECONDS,
            () -> holds(() -> committed(broker, group, topic) == count));
    }

    private static TreeSet<String> names(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(i -> prefix + i).collect(Collectors.toCollection(TreeSet::new));
    }

    /** A consumer reads on from the slave, and its master goes on from there. */
    private final class Reading implements Part {
        private static final int EACH = 200;
        private final Received received = new Received();
        private final String group = env.unique("g-reading");
        private final String topic = topic("reading", master);
        private DefaultMQPushConsumer consumer;

        private Reading() throws Exception {
        }

        @Override
        public void before() throws Exception {
            consumer = received.start(env.push(group), topic, "*");
            env.sendMany(topic, "a", EACH);
            env.eventually("the first half is consumed", PATIENCE_SECONDS, () -> received.count() >= EACH);
            // Pulls that wait at the broker still bring a few.
            consumer.suspend();
            env.sendMany(topic, "b", EACH);
        }

        @Override
        public void without() throws Exception {
            env.that("some are left, read " + received.count(), received.count() < 2 * EACH);
            consumer.resume();
            env.eventually("the rest is read from the slave", PATIENCE_SECONDS, () -> received.count() >= 2 * EACH);
            awaitCommitted(slave, group, topic, 2 * EACH);
        }

        @Override
        public void after() throws Exception {
            env.equal("committed at the master that is back", (long) 2 * EACH, committed(master, group, topic));
            env.sendMany(topic, "c", EACH);
            env.eventually("new ones are read", PATIENCE_SECONDS, () -> received.distinct().size() == 3 * EACH);
            awaitCommitted(master, group, topic, 3 * EACH);
            env.equal("consumed twice", 0, received.duplicates());
        }
    }

    /** What comes due without its master is delivered by the other one, or later, and once. */
    private final class Delayed implements Part {
        private static final int COUNT = 20;
        private final Received received = new Received();
        private final String topic = other == null ? topic("delayed", master) : topic("delayed", master, other);
        private long firstDue;
        private long due;
        /** Whether the master was gone before the first message came due; on a very slow machine this part proves nothing. */
        private boolean inTime;

        private Delayed() throws Exception {
        }

        @Override
        public void before() throws Exception {
            received.start(env.push(env.unique("g-delayed")), topic, "*");
            firstDue = System.currentTimeMillis() + LONG_MILLIS;
            for (int i = 0; i < COUNT; i++) {
                send("d" + i);
            }
        }

        /** To the master of the slave, delayed. */
        private void send(String body) throws Exception {
            var queues = env.producer.fetchPublishMessageQueues(topic);
            String name = brokerName(master);
            var queue = queues.stream().filter(q -> q.getBrokerName().equals(name)).findFirst().orElseThrow();
            Message message = env.message(topic, "t", body);
            message.setDelayTimeLevel(LONG_LEVEL);
            env.producer.send(message, queue);
            due = System.currentTimeMillis() + LONG_MILLIS;
        }

        /** The master is gone since a moment ago. */
        private void gone() {
            inTime = System.currentTimeMillis() < firstDue;
            if (!inTime) {
                System.out.println("acting: the first message came due before its master was gone, delays are not looked at");
            }
        }

        @Override
        public void without() throws Exception {
            if (other == null) {
                env.eventually("all are due", PATIENCE_SECONDS, () -> System.currentTimeMillis() > due + 1000);
                env.that("delivered by nobody", !inTime || received.count() == 0);
            } else if (inTime) {
                env.eventually("all have come", PATIENCE_SECONDS, () -> received.count() >= COUNT);
                env.equal("stored by the other master", new TreeSet<>(List.of("/" + other)), received.snapshot().stream()
                    .map(m -> m.getStoreHost().toString()).collect(Collectors.toCollection(TreeSet::new)));
            }
        }

        @Override
        public void after() throws Exception {
            // A level is delivered in order: behind this one nothing is left.
            send("last");
            env.eventually("the last has come", PATIENCE_SECONDS, () -> received.distinct().contains("last"));
            TreeSet<String> all = names("d", COUNT);
            all.add("last");
            env.equal("delivered", all, received.distinct());
            // A master that is killed while it delivers may deliver a few again.
            env.that("delivered twice: " + received.duplicates(), !inTime || received.duplicates() == 0);
        }
    }

    private String brokerName(String master) throws Exception {
        return env.masters().entrySet().stream().filter(e -> e.getValue().equals(master)).findFirst().orElseThrow().getKey();
    }

    /** A message that is given back to the slave comes again from the other master, and becomes a dead letter there. */
    private final class GivenBack implements Part {
        private final List<MessageExt> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        private final String group = env.unique("g-back");
        private final String topic = topic("back", master);

        private GivenBack() throws Exception {
        }

        @Override
        public void before() throws Exception {
            env.sendMany(topic, "bad", 1);
        }

        @Override
        public void without() throws Exception {
            DefaultMQPushConsumer consumer = env.push(group);
            consumer.setMaxReconsumeTimes(2);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
                seen.addAll(list);
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            });
            consumer.start();
            env.eventually("delivered three times", PATIENCE_SECONDS, () -> seen.size() >= 3);
            env.equal("reconsume times", List.of(0, 1, 2), seen.stream().map(MessageExt::getReconsumeTimes).toList());
            // A client whose request is refused sends a copy that is born then.
            env.equal("given back, not sent again", 1L, seen.stream().map(MessageExt::getBornTimestamp).distinct().count());
            env.equal("stored at first by", "/" + master, seen.get(0).getStoreHost().toString());
            env.equal("stored at last by", "/" + other, seen.get(2).getStoreHost().toString());
            MessageExt dead = Retry.awaitDeadLetters(env, group, List.of("bad0")).get(0);
            env.equal("dead letter stored by", "/" + other, dead.getStoreHost().toString());
        }

        @Override
        public void after() throws Exception {
            env.equal("delivered no more than three times", 3, seen.size());
            env.equal("bodies", List.of("bad0", "bad0", "bad0"), Env.bodies(seen));
        }
    }
}
