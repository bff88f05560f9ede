import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** DefaultLitePullConsumer: subscribed, and with queues assigned by hand. */
final class Lite {
    static void register(Scenarios s) {
        s.add("lite.subscribe", Lite::subscribe);
        s.add("lite.seek", Lite::seek);
        s.add("lite.timestamp", Lite::timestamp);
        s.add("lite.commit", Lite::commit);
    }

    private static DefaultLitePullConsumer consumer(Env env, String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
        consumer.setNamesrvAddr(env.shared.namesrv);
        consumer.setInstanceName(env.unique("lite"));
        consumer.setClientIP("127.0.0.1");
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        env.atEnd(consumer::shutdown);
        return consumer;
    }

    private static List<String> poll(Env env, DefaultLitePullConsumer consumer, int n) throws Exception {
        List<String> bodies = new ArrayList<>();
        env.eventually(n + " polled", 60, () -> {
            for (MessageExt message : consumer.poll(200)) {
                bodies.add(Env.body(message));
            }
            return bodies.size() >= n;
        });
        return bodies;
    }

    private static void subscribe(Env env) throws Exception {
        String topic = env.topic("lite", 2);
        env.sendMany(topic, "l", 40);
        DefaultLitePullConsumer consumer = consumer(env, env.unique("g-lite"));
        consumer.subscribe(topic, "*");
        consumer.start();
        List<String> bodies = poll(env, consumer, 40);
        env.equal("bodies", Send.expected("l", 40), new TreeSet<>(bodies));
        env.equal("polled", 40, bodies.size());
    }

    private static DefaultLitePullConsumer assigned(Env env, String topic, String group) throws Exception {
        DefaultLitePullConsumer consumer = consumer(env, group);
        consumer.start();
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(topic);
        consumer.assign(queues);
        return consumer;
    }

    private static void seek(Env env) throws Exception {
        String topic = env.topicOnOne("lite-seek", 1);
        env.sendMany(topic, "s", 20);
        DefaultLitePullConsumer consumer = assigned(env, topic, env.unique("g-seek"));
        MessageQueue queue = consumer.fetchMessageQueues(topic).iterator().next();
        consumer.seek(queue, 15);
        env.equal("from 15", List.of("s15", "s16", "s17", "s18", "s19"), poll(env, consumer, 5));
        consumer.seekToBegin(queue);
        env.equal("from the beginning", "s0", poll(env, consumer, 20).get(0));
        consumer.seekToEnd(queue);
        env.equal("nothing at the end", List.of(), consumer.poll(500));
        env.sendMany(topic, "after", 1);
        env.equal("what comes after", List.of("after0"), poll(env, consumer, 1));
    }

    private static void timestamp(Env env) throws Exception {
        String topic = env.topicOnOne("lite-time", 1);
        env.sendMany(topic, "before", 5);
        Thread.sleep(50);
        long middle = System.currentTimeMillis();
        Thread.sleep(50);
        env.sendMany(topic, "since", 5);
        DefaultLitePullConsumer consumer = consumer(env, env.unique("g-time"));
        consumer.start();
        MessageQueue queue = consumer.fetchMessageQueues(topic).iterator().next();
        long offset = consumer.offsetForTimestamp(queue, middle);
        env.equal("offset for timestamp", 5L, offset);
        // Assigned only now: the 4.9.8 client keeps messages of a pull that was under way when it was told to seek.
        consumer.assign(List.of(queue));
        consumer.seek(queue, offset);
        env.equal("bodies", List.of("since0", "since1", "since2", "since3", "since4"), poll(env, consumer, 5));
    }

    private static void commit(Env env) throws Exception {
        String topic = env.topicOnOne("lite-commit", 1);
        String group = env.unique("g-commit");
        env.sendMany(topic, "c", 10);
        DefaultLitePullConsumer consumer = consumer(env, group);
        consumer.setPullBatchSize(10);
        consumer.subscribe(topic, "*");
        consumer.start();
        poll(env, consumer, 10);
        consumer.commitSync();
        MessageQueue queue = consumer.fetchMessageQueues(topic).iterator().next();
        env.eventually("committed", 60, () -> consumer.committed(queue) == 10);
        consumer.shutdown();
        env.sendMany(topic, "d", 3);
        DefaultLitePullConsumer next = consumer(env, group);
        next.subscribe(topic, "*");
        next.start();
        env.equal("goes on behind the commit", List.of("d0", "d1", "d2"), poll(env, next, 3));
    }
}
