import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Every way a producer sends, and what the broker must refuse. */
final class Send {
    private static final int MAX_MESSAGE_SIZE = 4 * 1024 * 1024;

    static void register(Scenarios s) {
        s.add("send.sync", Send::sync);
        s.add("send.async", Send::async);
        s.add("send.oneway", Send::oneway);
        s.add("send.batch", Send::batch);
        s.add("send.compressed", Send::compressed);
        s.add("send.max_size", Send::maxSize);
        s.add("send.auto_topic", Send::autoTopic);
        s.add("send.no_permission", Send::noPermission);
        s.add("send.explicit_queue", Send::explicitQueue);
        s.add("send.selector", Send::selector);
    }

    private static void sync(Env env) throws Exception {
        String topic = env.topic("send-sync", 4);
        List<SendResult> results = env.sendMany(topic, "m", 100);
        Set<SendStatus> statuses = new HashSet<>();
        Set<String> ids = new HashSet<>();
        Map<MessageQueue, List<Long>> offsets = new HashMap<>();
        for (SendResult result : results) {
            statuses.add(result.getSendStatus());
            ids.add(result.getMsgId());
            offsets.computeIfAbsent(result.getMessageQueue(), q -> new ArrayList<>()).add(result.getQueueOffset());
        }
        env.equal("statuses", Set.of(SendStatus.SEND_OK), statuses);
        env.equal("distinct ids", 100, ids.size());
        for (List<Long> list : offsets.values()) {
            for (int i = 0; i < list.size(); i++) {
                if (list.get(i) != i) {
                    env.equal("queue offsets gapless from 0", (long) i, list.get(i));
                }
            }
        }
        env.equal("queues used", 4 * env.masters().size(), offsets.size());
        checkIds(env, topic, results);
        env.equal("bodies read back", expected("m", 100), new TreeSet<>(Env.bodies(env.readAll(topic))));
    }

    /** An offset message id is the store host and the physical offset of the record. */
    private static void checkIds(Env env, String topic, List<SendResult> results) throws Exception {
        Map<String, String> masters = env.masters();
        Map<String, MessageExt> byUniqueKey = new HashMap<>();
        for (MessageExt message : env.readAll(topic)) {
            byUniqueKey.put(message.getMsgId(), message);
        }
        for (SendResult result : results) {
            var id = MessageDecoder.decodeMessageId(result.getOffsetMsgId());
            InetSocketAddress host = (InetSocketAddress) id.getAddress();
            String address = host.getAddress().getHostAddress() + ":" + host.getPort();
            MessageExt stored = byUniqueKey.get(result.getMsgId());
            boolean right = address.equals(masters.get(result.getMessageQueue().getBrokerName()))
                && stored.getCommitLogOffset() == id.getOffset() && stored.getStoreHost().equals(host)
                && stored.getQueueOffset() == result.getQueueOffset();
            if (!right) {
                env.that("id " + result + " names the record " + stored, false);
            }
        }
        env.ok("offset message ids name store host and commit log offset");
    }

    static TreeSet<String> expected(String prefix, int n) {
        TreeSet<String> set = new TreeSet<>();
        for (int i = 0; i < n; i++) {
            set.add(prefix + i);
        }
        return set;
    }

    private static void async(Env env) throws Exception {
        String topic = env.topic("send-async", 4);
        CountDownLatch done = new CountDownLatch(200);
        Set<String> ids = ConcurrentHashMap.newKeySet();
        List<Throwable> errors = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 200; i++) {
            env.producer.send(env.message(topic, "t", "a" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    ids.add(result.getOffsetMsgId());
                    done.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    errors.add(e);
                    done.countDown();
                }
            });
        }
        env.eventually("all callbacks called", 60, () -> done.getCount() == 0);
        env.equal("errors", List.of(), errors);
        env.equal("distinct ids", 200, ids.size());
        env.equal("bodies read back", expected("a", 200), new TreeSet<>(Env.bodies(env.readAll(topic, 200))));
    }

    private static void oneway(Env env) throws Exception {
        String topic = env.topic("send-oneway", 4);
        for (int i = 0; i < 50; i++) {
            env.producer.sendOneway(env.message(topic, "t", "o" + i));
        }
        env.eventually("50 stored", 60, () -> env.stored(topic) == 50);
        env.equal("bodies read back", expected("o", 50), new TreeSet<>(Env.bodies(env.readAll(topic))));
    }

    private static void batch(Env env) throws Exception {
        String topic = env.topic("send-batch", 4);
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            Message message = env.message(topic, "tag" + i % 3, "b" + i);
            message.setKeys("key" + i);
            message.putUserProperty("n", String.valueOf(i));
            message.setFlag(i);
            messages.add(message);
        }
        SendResult result = env.producer.send(messages);
        env.equal("status", SendStatus.SEND_OK, result.getSendStatus());
        env.equal("ids returned", 30, result.getMsgId().split(",").length);
        env.equal("offset ids returned", 30, result.getOffsetMsgId().split(",").length);
        List<MessageExt> stored = new ArrayList<>(env.readAll(topic, 30));
        stored.sort(Comparator.comparingLong(MessageExt::getQueueOffset));
        env.equal("order", Env.bodies(messages), Env.bodies(stored));
        for (int i = 0; i < 30; i++) {
            MessageExt m = stored.get(i);
            String seen = m.getQueueOffset() + " " + m.getTags() + " " + m.getKeys() + " " + m.getProperty("n") + " " + m.getFlag();
            if (!seen.equals(i + " tag" + i % 3 + " key" + i + " " + i + " " + i)) {
                env.equal("fields of message " + i, i, seen);
            }
        }
        env.equal("one id each", 30, stored.stream().map(MessageExt::getMsgId).distinct().toList().size());
    }

    private static void compressed(Env env) throws Exception {
        String topic = env.topic("send-compressed", 1);
        String body = "compressible ".repeat(8000);
        env.producer.send(env.message(topic, "t", body));
        MessageExt stored = env.readAll(topic, 1).get(0);
        env.equal("body", body.hashCode(), Env.body(stored).hashCode());
        env.that("stored small: " + stored.getStoreSize(), stored.getStoreSize() < 4096);
    }

    private static void maxSize(Env env) throws Exception {
        String topic = env.topic("send-max", 1);
        DefaultMQProducer producer = env.ownProducer("send-max");
        producer.setMaxMessageSize(2 * MAX_MESSAGE_SIZE);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        byte[] body = new byte[MAX_MESSAGE_SIZE];
        new Random(1).nextBytes(body);
        SendResult result = producer.send(new Message(topic, body));
        env.equal("4 MiB", SendStatus.SEND_OK, result.getSendStatus());
        env.that("4 MiB read back", java.util.Arrays.equals(body, env.readAll(topic, 1).get(0).getBody()));
        try {
            producer.send(new Message(topic, new byte[MAX_MESSAGE_SIZE + 1]));
            env.that("4 MiB + 1 refused", false);
        } catch (MQBrokerException e) {
            env.equal("4 MiB + 1 refused with code", 13, e.getResponseCode());
        }
        env.equal("nothing more stored", 1L, env.stored(topic));
    }

    private static void autoTopic(Env env) throws Exception {
        String topic = env.unique("send-auto");
        SendResult result = env.producer.send(env.message(topic, "t", "x"));
        env.equal("status", SendStatus.SEND_OK, result.getSendStatus());
        env.eventually("route of the new topic", 60, () -> {
            try {
                return !env.admin.examineTopicRouteInfo(topic).getQueueDatas().isEmpty();
            } catch (Exception e) {
                return false;
            }
        });
        var queues = env.admin.examineTopicRouteInfo(topic).getQueueDatas().get(0);
        env.equal("write queues", 4, queues.getWriteQueueNums());
        env.equal("read queues", 4, queues.getReadQueueNums());
        env.equal("perm", 6, queues.getPerm());
        env.equal("bodies read back", List.of("x"), Env.bodies(env.readAll(topic, 1)));
    }

    /**
     * The write permission of a topic lives in the route: the client finds no queue to send to. A Java broker does
     * not check it again (AbstractSendMessageProcessor#msgCheck looks at brokerPermission only).
     */
    private static void noPermission(Env env) throws Exception {
        String topic = env.topic("send-read-only", 1, 4);
        try {
            env.producer.send(env.message(topic, "t", "x"));
            env.that("refused", false);
        } catch (MQClientException e) {
            env.ok("refused: " + e.getErrorMessage());
        }
        env.equal("stored", 0L, env.stored(topic));
    }

    private static void explicitQueue(Env env) throws Exception {
        String topic = env.topic("send-explicit", 4);
        for (MessageQueue queue : env.queues(topic)) {
            for (int i = 0; i < 3; i++) {
                SendResult result = env.producer.send(env.message(topic, "t", queue.toString()), queue);
                if (!result.getMessageQueue().equals(queue) || result.getQueueOffset() != i) {
                    env.equal("queue and offset", queue + " " + i, result);
                }
            }
        }
        for (MessageExt message : env.readAll(topic, 12L * env.masters().size())) {
            MessageQueue queue = new MessageQueue(topic, message.getBrokerName(), message.getQueueId());
            if (!queue.toString().equals(Env.body(message))) {
                env.equal("queue of the record", Env.body(message), queue.toString());
            }
        }
        env.equal("stored", 12L * env.masters().size(), env.stored(topic));
    }

    private static void selector(Env env) throws Exception {
        String topic = env.topic("send-selector", 4);
        Map<Integer, Set<MessageQueue>> used = new HashMap<>();
        for (int i = 0; i < 40; i++) {
            int key = i % 5;
            SendResult result = env.producer.send(env.message(topic, "t", "s" + i),
                (queues, message, arg) -> queues.get((Integer) arg % queues.size()), key);
            used.computeIfAbsent(key, k -> new HashSet<>()).add(result.getMessageQueue());
        }
        env.that("one queue for one key", used.values().stream().allMatch(q -> q.size() == 1));
        env.equal("stored", 40, env.readAll(topic, 40).size());
    }
}
