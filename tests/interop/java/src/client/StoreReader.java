import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Verifies a manifest of StoreWriter through a NameServer: every queue by pulling, a part of the messages by id and by key.
 *
 * <pre>java -cp CP StoreReader namesrvAddr manifest</pre>
 *
 * The queues must hold exactly the lines of the manifest: nothing less, nothing more, nothing twice.
 */
public final class StoreReader {
    private static final int BY_ID_EACH = 20;

    public static void main(String[] args) throws Exception {
        Env env = new Env(new Shared(args[0]), Map.of(), "store-reader");
        int status = 1;
        try {
            verify(env, Manifest.read(Path.of(args[1])));
            System.out.println("PASS store-reader");
            status = 0;
        } catch (Throwable e) {
            System.out.println("FAIL store-reader " + e);
            e.printStackTrace();
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }

    private static void verify(Env env, List<Manifest> manifest) throws Exception {
        Map<String, Manifest> byPlace = new HashMap<>();
        Set<String> topics = new java.util.TreeSet<>();
        for (Manifest line : manifest) {
            byPlace.put(place(line), line);
            topics.add(line.topic());
        }
        env.equal("places in the manifest", manifest.size(), byPlace.size());
        for (String topic : topics) {
            env.awaitRoute(topic, env.masters().size());
            for (MessageExt message : env.readAll(topic)) {
                Manifest found = Manifest.of(message);
                Manifest expected = byPlace.remove(place(found));
                if (!found.equals(expected)) {
                    env.equal("record", expected, found);
                }
            }
            env.ok("queues of " + topic);
        }
        env.equal("lines not found by pulling", Set.of(), byPlace.keySet());
        byId(env, manifest);
        byKey(env, manifest);
    }

    private static String place(Manifest line) {
        return line.topic() + " " + line.broker() + " " + line.queueId() + " " + line.queueOffset();
    }

    private static void byId(Env env, List<Manifest> manifest) throws Exception {
        int checked = 0;
        for (int i = 0; i < manifest.size(); i += BY_ID_EACH, checked++) {
            Manifest line = manifest.get(i);
            MessageExt found = env.admin.viewMessage(line.topic(), line.offsetId());
            if (!line.uniqueKey().equals(found.getMsgId()) || Manifest.crc(found.getBody()) != line.crc()) {
                env.equal("message of id " + line.offsetId(), line, found);
            }
        }
        env.ok(checked + " messages by id");
    }

    private static void byKey(Env env, List<Manifest> manifest) throws Exception {
        List<Manifest> keyed = new ArrayList<>(manifest);
        keyed.removeIf(line -> line.keys().equals("-"));
        int checked = 0;
        for (int i = 0; i < keyed.size(); i += BY_ID_EACH, checked++) {
            Manifest line = keyed.get(i);
            String key = line.keys().split(" ")[0];
            Set<String> ids = new HashSet<>();
            long week = 7L * 24 * 3600 * 1000;
            long now = System.currentTimeMillis();
            env.admin.queryMessage(line.topic(), key, 32, now - week, now + week).getMessageList()
                .forEach(m -> ids.add(m.getMsgId()));
            if (!ids.equals(Set.of(line.uniqueKey()))) {
                env.equal("messages of key " + key, Set.of(line.uniqueKey()), ids);
            }
        }
        env.ok(checked + " messages by key");
    }
}
