import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** One line per stored message: what a reader must find again. Null fields are written as "-". */
record Manifest(String topic, String broker, int queueId, long queueOffset, String offsetId, String uniqueKey,
                long crc, String tags, String keys, long properties) {

    static Manifest of(MessageExt m) {
        return new Manifest(m.getTopic(), m.getBrokerName(), m.getQueueId(), m.getQueueOffset(), Compat.offsetId(m),
            m.getMsgId(), crc(m.getBody()), orDash(m.getTags()), orDash(m.getKeys()), properties(m));
    }

    static long crc(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return crc.getValue();
    }

    /** A checksum over all stored properties in the order of their names; MIN_OFFSET and MAX_OFFSET are the client's own. */
    static long properties(Message m) {
        Map<String, String> sorted = new TreeMap<>(m.getProperties());
        sorted.remove("MIN_OFFSET");
        sorted.remove("MAX_OFFSET");
        return crc(sorted.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static String orDash(String value) {
        return value == null || value.isEmpty() ? "-" : value;
    }

    String line() {
        return String.join("\t", topic, broker, String.valueOf(queueId), String.valueOf(queueOffset), offsetId, uniqueKey,
            Long.toHexString(crc), tags, keys, Long.toHexString(properties));
    }

    static Manifest parse(String line) {
        String[] f = line.split("\t");
        return new Manifest(f[0], f[1], Integer.parseInt(f[2]), Long.parseLong(f[3]), f[4], f[5],
            Long.parseLong(f[6], 16), f[7], f[8], Long.parseLong(f[9], 16));
    }

    static List<Manifest> read(Path file) throws Exception {
        List<Manifest> list = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            list.add(parse(line));
        }
        return list;
    }
}
