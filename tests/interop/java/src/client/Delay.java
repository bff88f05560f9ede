import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Delay levels, exact to within a second. */
final class Delay {
    static void register(Scenarios s) {
        s.add("delay.levels", Delay::exact);
        s.add("delay.fields", Delay::fields);
    }

    /** The levels of the brokers in milliseconds, from the option messageDelayLevel (Java's default otherwise). */
    static long[] levels(Env env) {
        String[] parts = env.option("messageDelayLevel", "1s 5s 10s 30s 1m").split("[ ,]");
        long[] levels = new long[parts.length];
        Map<Character, Long> units = Map.of('s', 1000L, 'm', 60_000L, 'h', 3_600_000L);
        for (int i = 0; i < parts.length; i++) {
            int end = parts[i].length() - 1;
            levels[i] = Long.parseLong(parts[i].substring(0, end)) * units.get(parts[i].charAt(end));
        }
        return levels;
    }

    private static void exact(Env env) throws Exception {
        String topic = env.topic("delay", 2);
        Map<String, Long> arrived = new ConcurrentHashMap<>();
        List<String> twice = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.push(env.unique("g-delay"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            for (MessageExt message : list) {
                if (arrived.put(Env.body(message), System.currentTimeMillis()) != null) {
                    twice.add(Env.body(message));
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        env.sendMany(topic, "warm", 4);
        env.eventually("consumer reads", 60, () -> arrived.size() == 4);
        long[] levels = levels(env);
        Map<String, Long> due = new ConcurrentHashMap<>();
        for (int round = 0; round < 5; round++) {
            for (int level = 1; level <= 3; level++) {
                Message message = env.message(topic, "t", round + ":" + level);
                message.setDelayTimeLevel(level);
                env.producer.send(message);
                due.put(round + ":" + level, System.currentTimeMillis() + levels[level - 1]);
            }
        }
        env.eventually("15 delayed messages", 60, () -> arrived.size() == 19);
        long early = 0;
        long late = 0;
        for (var entry : due.entrySet()) {
            long difference = arrived.get(entry.getKey()) - entry.getValue();
            early = Math.min(early, difference);
            late = Math.max(late, difference);
        }
        env.that("never early by more than the sending took: " + early + " ms", early > -500);
        env.that("late by at most a second: " + late + " ms", late <= 1000);
        env.equal("delivered twice", List.of(), twice);
    }

    private static void fields(Env env) throws Exception {
        String topic = env.topicOnOne("delay-fields", 3);
        var queue = env.queues(topic).get(2);
        Message message = env.message(topic, "tag", "later");
        message.setKeys("k");
        message.setDelayTimeLevel(1);
        var sent = env.producer.send(message, queue);
        env.that("the answer names the queue of the level or of the topic: " + sent.getMessageQueue(), sent.getQueueOffset() >= 0);
        env.eventually("delivered", 60, () -> env.stored(topic) == 1);
        MessageExt m = env.readAll(topic).get(0);
        env.equal("queue", 2, m.getQueueId());
        env.equal("tags", "tag", m.getTags());
        env.equal("keys", "k", m.getKeys());
        env.equal("body", "later", Env.body(m));
        env.equal("unique key", sent.getMsgId(), m.getMsgId());
        env.that("born before stored", m.getStoreTimestamp() - m.getBornTimestamp() >= levels(env)[0] - 100);
        env.equal("properties of the schedule stay, as in Java", "1 " + topic + " 2",
            m.getProperty("DELAY") + " " + m.getProperty("REAL_TOPIC") + " " + m.getProperty("REAL_QID"));
    }
}
