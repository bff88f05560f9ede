import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Offsets of a queue: first, last, by time; and those of a group. */
final class Offsets {
    static void register(Scenarios s) {
        s.add("offsets.range", Offsets::range);
        s.add("offsets.by_time", Offsets::byTime);
        s.add("offsets.committed", Offsets::committed);
    }

    private static void range(Env env) throws Exception {
        String topic = env.topicOnOne("offsets", 1);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-offsets"));
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        env.equal("max of an empty queue", 0L, consumer.maxOffset(queue));
        env.equal("min of an empty queue", 0L, consumer.minOffset(queue));
        env.equal("time of an empty queue", -1L, consumer.earliestMsgStoreTime(queue));
        env.sendMany(topic, "o", 7);
        env.equal("max", 7L, consumer.maxOffset(queue));
        env.equal("min", 0L, consumer.minOffset(queue));
        env.equal("earliest store time", env.readAll(topic).get(0).getStoreTimestamp(), consumer.earliestMsgStoreTime(queue));
    }

    private static void byTime(Env env) throws Exception {
        String topic = env.topicOnOne("offsets-time", 1);
        for (int i = 0; i < 10; i++) {
            env.sendMany(topic, "o" + i, 1);
            Thread.sleep(20);
        }
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-time"));
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        List<MessageExt> stored = env.readAll(topic);
        for (MessageExt message : stored) {
            long exact = consumer.searchOffset(queue, message.getStoreTimestamp());
            long after = consumer.searchOffset(queue, message.getStoreTimestamp() + 1);
            if (exact != message.getQueueOffset() || after != message.getQueueOffset() + 1) {
                env.equal("offsets around " + message, message.getQueueOffset(), exact + ", " + after);
            }
        }
        env.ok("the exact time finds the message, a millisecond later the next one");
        env.equal("before all", 0L, consumer.searchOffset(queue, stored.get(0).getStoreTimestamp() - 100_000));
        env.equal("after all", 10L, consumer.searchOffset(queue, System.currentTimeMillis() + 100_000));
    }

    private static void committed(Env env) throws Exception {
        String topic = env.topicOnOne("offsets-committed", 1);
        env.sendMany(topic, "o", 10);
        String group = env.unique("g-committed");
        DefaultMQPullConsumer consumer = env.pull(group);
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        consumer.pull(queue, "*", 0, 5);
        consumer.updateConsumeOffset(queue, 5);
        consumer.getDefaultMQPullConsumerImpl().getOffsetStore().persist(queue);
        DefaultMQPullConsumer other = env.pull(group);
        env.eventually("another client reads the offset", 20, () -> other.fetchConsumeOffset(queue, true) == 5);
        DefaultMQPullConsumer stranger = env.pull(env.unique("g-stranger"));
        env.equal("a group without offset on a young queue", 0L, stranger.fetchConsumeOffset(queue, true));
    }
}
