import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages a consumer hands back: redelivery through %RETRY%group, and the dead letter queue in the end. */
final class Retry {
    static void register(Scenarios s) {
        s.add("retry.once", Retry::once);
        s.add("retry.dead_letter", Retry::deadLetter);
        s.add("retry.delay_level", Retry::delayLevel);
    }

    private static MessageListenerConcurrently failing(List<MessageExt> seen, int failures) {
        return (list, context) -> {
            seen.addAll(list);
            return list.get(0).getReconsumeTimes() < failures
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    private static void once(Env env) throws Exception {
        String topic = env.topic("retry", 2);
        String group = env.unique("g-retry");
        List<MessageExt> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.push(group);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(failing(seen, 1));
        consumer.start();
        var message = env.message(topic, "tag", "again");
        message.setKeys("key");
        message.putUserProperty("colour", "red");
        var sent = env.producer.send(message);
        env.eventually("delivered twice", 60, () -> seen.size() >= 2);
        MessageExt second = seen.get(1);
        env.equal("reconsume times", 1, second.getReconsumeTimes());
        env.equal("topic the listener sees", topic, second.getTopic());
        env.equal("body", "again", Env.body(second));
        env.equal("tags", "tag", second.getTags());
        env.equal("keys", "key", second.getKeys());
        env.equal("user property", "red", second.getUserProperty("colour"));
        env.equal("RETRY_TOPIC", topic, second.getProperty("RETRY_TOPIC"));
        env.equal("ORIGIN_MESSAGE_ID", sent.getOffsetMsgId(), second.getProperty("ORIGIN_MESSAGE_ID"));
        env.equal("unique key", sent.getMsgId(), second.getMsgId());
        List<MessageExt> kept = env.readAll("%RETRY%" + group);
        env.equal("records in the retry topic", 1, kept.size());
        env.equal("queue of the retry topic", 0, kept.get(0).getQueueId());
        env.equal("born timestamp kept", seen.get(0).getBornTimestamp(), kept.get(0).getBornTimestamp());
    }

    private static void deadLetter(Env env) throws Exception {
        String topic = env.topic("retry-dlq", 2);
        String group = env.unique("g-dlq");
        List<MessageExt> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.push(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(failing(seen, 100));
        consumer.start();
        env.producer.send(env.message(topic, "tag", "dead"));
        env.eventually("delivered three times", 90, () -> seen.size() >= 3);
        env.equal("reconsume times", List.of(0, 1, 2), seen.stream().map(MessageExt::getReconsumeTimes).toList());
        MessageExt dead = awaitDeadLetters(env, group, List.of("dead")).get(0);
        env.equal("topic", "%DLQ%" + group, dead.getTopic());
        env.equal("queue", 0, dead.getQueueId());
        env.equal("tags", "tag", dead.getTags());
        env.equal("RETRY_TOPIC", topic, dead.getProperty("RETRY_TOPIC"));
        env.equal("delivered no more than three times", 3, seen.size());
    }

    /** The DLQ topic appears with the first dead letter; stock readers may need its read permission opened first. */
    static List<MessageExt> awaitDeadLetters(Env env, String group, List<String> bodies) throws Exception {
        String topic = "%DLQ%" + group;
        env.eventually("dead letters stored", 90, () -> {
            try {
                return env.stored(topic) == bodies.size();
            } catch (Exception e) {
                return false;
            }
        });
        List<MessageExt> dead = env.readAll(topic);
        env.equal("dead letters", bodies, Env.bodies(dead));
        return dead;
    }

    /** delayLevelWhenNextConsume chooses the level; 0 means 3 + reconsume times. */
    private static void delayLevel(Env env) throws Exception {
        String topic = env.topicOnOne("retry-level", 1);
        long[] at = new long[2];
        DefaultMQPushConsumer consumer = env.push(env.unique("g-level"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            int times = list.get(0).getReconsumeTimes();
            at[Math.min(times, 1)] = System.currentTimeMillis();
            context.setDelayLevelWhenNextConsume(1);
            return times == 0 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        env.producer.send(env.message(topic, "t", "x"));
        env.eventually("delivered again", 60, () -> at[1] != 0);
        env.that("after level 1, " + (at[1] - at[0]) + " ms", at[1] - at[0] >= Delay.levels(env)[0] - 100);
    }
}
