import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.MessageExt;

/** Ordered consumption: the queue locks of the broker keep the order of each key, also while queues move. */
final class Orderly {
    private static final int KEYS = 8;

    static void register(Scenarios s) {
        s.add("orderly.per_key", Orderly::perKey);
        s.add("orderly.one_at_a_time", Orderly::oneAtATime);
        s.add("orderly.give_up", Orderly::giveUp);
    }

    private static void produce(Env env, String topic, int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            env.producer.send(env.message(topic, "t", i % KEYS + ":" + i / KEYS),
                (queues, message, key) -> queues.get((Integer) key % queues.size()), i % KEYS);
        }
    }

    private static MessageListenerOrderly keep(Map<String, List<Integer>> seen) {
        return (list, context) -> {
            for (MessageExt message : list) {
                String[] parts = Env.body(message).split(":");
                List<Integer> numbers = seen.computeIfAbsent(parts[0], k -> new ArrayList<>());
                synchronized (numbers) {
                    numbers.add(Integer.parseInt(parts[1]));
                }
            }
            return ConsumeOrderlyStatus.SUCCESS;
        };
    }

    private static void perKey(Env env) throws Exception {
        String topic = env.topic("orderly", 4);
        String group = env.unique("g-orderly");
        Map<String, List<Integer>> seen = new ConcurrentHashMap<>();
        DefaultMQPushConsumer one = ordered(env, group, topic, seen);
        produce(env, topic, 0, 400);
        env.eventually("400 with one consumer", 60, () -> total(seen) >= 400);
        ordered(env, group, topic, seen);
        produce(env, topic, 400, 800);
        env.eventually("800 while a second one joins", 90, () -> total(seen) >= 800);
        one.shutdown();
        produce(env, topic, 800, 1200);
        env.eventually("1200 after the first one left", 90, () -> total(seen) >= 1200);
        for (int key = 0; key < KEYS; key++) {
            List<Integer> distinct = seen.get(String.valueOf(key)).stream().distinct().toList();
            for (int i = 0; i < distinct.size(); i++) {
                if (distinct.get(i) != i) {
                    env.equal("order of key " + key, i, distinct.get(i));
                }
            }
        }
        env.ok("order of each key");
        env.equal("received", 1200, total(seen));
    }

    private static int total(Map<String, List<Integer>> seen) {
        return seen.values().stream().mapToInt(List::size).sum();
    }

    private static DefaultMQPushConsumer ordered(Env env, String group, String topic, Map<String, List<Integer>> seen) throws Exception {
        DefaultMQPushConsumer consumer = env.push(group);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(keep(seen));
        consumer.start();
        return consumer;
    }

    /** While one consumer holds the lock of a queue, a second one of the group never gets its messages. */
    private static void oneAtATime(Env env) throws Exception {
        String topic = env.topic("orderly-lock", 2);
        String group = env.unique("g-lock");
        Map<Integer, AtomicInteger> inside = new ConcurrentHashMap<>();
        AtomicInteger overlaps = new AtomicInteger();
        AtomicInteger count = new AtomicInteger();
        MessageListenerOrderly listener = (list, context) -> {
            var queue = context.getMessageQueue();
            AtomicInteger here = inside.computeIfAbsent(queue.hashCode(), k -> new AtomicInteger());
            if (here.incrementAndGet() > 1) {
                overlaps.incrementAndGet();
            }
            pause(5);
            here.decrementAndGet();
            count.addAndGet(list.size());
            return ConsumeOrderlyStatus.SUCCESS;
        };
        for (int i = 0; i < 2; i++) {
            DefaultMQPushConsumer consumer = env.push(group);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener(listener);
            consumer.start();
        }
        produce(env, topic, 0, 200);
        env.eventually("200 received", 90, () -> count.get() >= 200);
        env.equal("two consumers in one queue", 0, overlaps.get());
    }

    static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** An ordered consumer that cannot digest a message sends it to %RETRY% itself; the broker puts it into the DLQ. */
    private static void giveUp(Env env) throws Exception {
        String topic = env.topicOnOne("orderly-give-up", 1);
        String group = env.unique("g-give-up");
        List<String> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = env.push(group);
        consumer.setMaxReconsumeTimes(1);
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.setConsumeMessageBatchMaxSize(1);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (list, context) -> {
            seen.add(Env.body(list.get(0)));
            return Env.body(list.get(0)).equals("bad") ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        for (String body : List.of("good1", "bad", "good2")) {
            env.producer.send(env.message(topic, "t", body));
        }
        env.eventually("the queue goes on behind the bad message", 60, () -> seen.contains("good2"));
        Retry.awaitDeadLetters(env, group, List.of("bad"));
    }
}
