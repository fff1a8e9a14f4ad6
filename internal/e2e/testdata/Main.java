import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;

/**
 * The main of a Java topology. It shows its arguments, and writes a definition
 * to the folder that HERON_OPTIONS names, called as the property "name" says.
 * The definition is a heron.proto.api.Topology written by hand, for there is no
 * library of Heron's here: a spout "word" that feeds a bolt "count", two
 * instances each, in two containers.
 */
public final class Main {
  private static final String MEBIBYTES_32 = "33554432";

  private Main() { }

  public static void main(String[] args) throws Exception {
    for (String arg : args) {
      System.out.println("<" + arg + ">");
    }
    Map<String, String> options = new HashMap<>();
    for (String pair : System.getenv("HERON_OPTIONS").split(",")) {
      String[] parts = pair.replace("%%%%", " ").split("=", 2);
      options.put(parts[0], parts[1]);
    }
    String name = System.getProperty("name");
    boolean paused = "PAUSED".equals(options.get("cmdline.topology.initial.state"));

    Message stream = new Message().text(1, "default").text(2, "word");
    Message schema = new Message().message(1, new Message().text(1, "word").number(2, 1));
    Message spout = new Message()
        .message(1, component("word"))
        .message(2, new Message().message(1, stream).message(2, schema));
    Message bolt = new Message()
        .message(1, component("count"))
        .message(2, new Message().message(1, stream).number(2, 2).message(3, schema));
    Message topology = new Message()
        .text(1, name + UUID.randomUUID())
        .text(2, name)
        .message(3, spout)
        .message(4, bolt)
        .number(5, paused ? 2 : 1)
        .message(6, config(
            "topology.name", name,
            "topology.stmgrs", "2",
            "topology.team.name", options.get("cmdline.topology.role"),
            "topology.team.environment", options.get("cmdline.topology.environment"),
            "topology.component.rammap", "word:" + MEBIBYTES_32 + ",count:" + MEBIBYTES_32,
            "topology.container.ram.padding", MEBIBYTES_32,
            "topology.container.ram", "134217728",
            "topology.container.cpu", "0.1"));

    Path folder = Path.of(options.get("cmdline.topologydefn.tmpdirectory"));
    Files.write(folder.resolve(name + ".defn"), topology.bytes());
  }

  private static Message component(String name) {
    return new Message()
        .text(1, name)
        .text(2, "sample." + name)
        .message(3, config("topology.component.parallelism", "2"))
        .number(5, 1);
  }

  private static Message config(String... pairs) {
    Message config = new Message();
    for (int i = 0; i < pairs.length; i += 2) {
      config.message(1, new Message().text(1, pairs[i]).text(2, pairs[i + 1]).number(4, 1));
    }
    return config;
  }

  /** A protobuf message under construction. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    byte[] bytes() {
      return out.toByteArray();
    }

    Message number(int field, int value) {
      varint(field << 3);
      varint(value);
      return this;
    }

    Message text(int field, String value) {
      return data(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message value) {
      return data(field, value.bytes());
    }

    private Message data(int field, byte[] value) {
      varint(field << 3 | 2);
      varint(value.length);
      out.writeBytes(value);
      return this;
    }

    private void varint(int value) {
      for (; value > 0x7f; value >>>= 7) {
        out.write(value & 0x7f | 0x80);
      }
      out.write(value);
    }
  }
}
