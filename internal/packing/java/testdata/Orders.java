import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Prints what a Java runtime does, for the test beside this folder:
 *   java Orders.java [seed [sets]] > orders.txt
 * A set of names is one line of names in the order they were put, separated by
 * tabs, and one line of names in the order the map gives them. Before them a line
 * says how the map was made: "put" one by one, or a "copy" of a list into a set, or
 * "cut": names were added and removed, and each has a "+" or "-" before it.
 */
public class Orders {
  private static final String[] WORDS = {"word", "count", "split", "sink", "spout", "bolt", "map",
      "reduce", "supplier", "consumer", "join", "filter", "é", "日本", "😀", "Ω-x", "\uE000z"};

  public static void main(String[] args) throws Exception {
    Random random = new Random(args.length > 0 ? Long.parseLong(args[0]) : 1);
    int sets = args.length > 1 ? Integer.parseInt(args[1]) : 6;
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    for (int i = 0; i < sets; i++) {
      print(out, words(random, 2 + random.nextInt(30)), false);
      print(out, words(random, 60 + random.nextInt(90)), false);
      print(out, sameHash(random, 3 + random.nextInt(14), 4), false);
      print(out, mixed(random), false);
      print(out, sameBin(random, 9 + random.nextInt(14), random.nextInt(40)), false);
      print(out, mixed(random), true);
      cut(out, random, words(random, 10 + random.nextInt(60)));
      cut(out, random, mixed(random));
      cut(out, random, sameBin(random, 12 + random.nextInt(30), random.nextInt(40)));
      cut(out, random, sameBin(random, 30 + random.nextInt(60), 30));
    }
    out.flush();
  }

  /** Names as topologies have them. */
  private static List<String> words(Random random, int n) {
    HashSet<String> names = new HashSet<>();
    while (names.size() < n) {
      String w = WORDS[random.nextInt(WORDS.length)];
      names.add(random.nextInt(3) == 0 ? w + "-" + WORDS[random.nextInt(WORDS.length)] : w + random.nextInt(50));
    }
    return shuffled(names, random);
  }

  /** Names with one hash code: "Aa" and "BB" are worth the same. */
  private static List<String> sameHash(Random random, int n, int pairs) {
    HashSet<String> names = new HashSet<>();
    while (names.size() < n && names.size() < 1 << pairs) {
      StringBuilder b = new StringBuilder();
      for (int i = 0; i < pairs; i++) {
        b.append(random.nextBoolean() ? "Aa" : "BB");
      }
      names.add(b.toString());
    }
    return shuffled(names, random);
  }

  /** Some of both, so that a table has room for trees. */
  private static List<String> mixed(Random random) {
    List<String> names = words(random, 20 + random.nextInt(40));
    names.addAll(sameHash(random, 8 + random.nextInt(20), 5));
    Collections.shuffle(names, random);
    return names;
  }

  /** Names of different hash codes that fall into one of 64 bins, and some others. */
  private static List<String> sameBin(Random random, int n, int others) {
    HashSet<String> names = new HashSet<>();
    while (names.size() < n) {
      String name = "c" + random.nextInt(100000);
      int h = name.hashCode();
      if (((h ^ (h >>> 16)) & 63) == 5) {
        names.add(name);
      }
    }
    List<String> list = shuffled(names, random);
    list.addAll(words(random, others));
    Collections.shuffle(list, random);
    return list;
  }

  private static List<String> shuffled(Iterable<String> names, Random random) {
    List<String> list = new ArrayList<>();
    names.forEach(list::add);
    Collections.sort(list);
    Collections.shuffle(list, random);
    return list;
  }

  /** Adds names, and removes and adds some again. */
  private static void cut(PrintStream out, Random random, List<String> names) {
    HashSet<String> set = new HashSet<>();
    List<String> steps = new ArrayList<>();
    int first = names.size() / 2 + random.nextInt(names.size() / 2);
    int steady = random.nextInt(4);
    for (int i = 0; i < names.size() * 3; i++) {
      String name = names.get(i < first ? i : random.nextInt(names.size()));
      if (set.contains(name) && (i - first) % 4 >= steady) {
        set.remove(name);
        steps.add("-" + name);
      } else if (set.add(name)) {
        steps.add("+" + name);
      }
    }
    out.println("cut");
    out.println(String.join("\t", steps));
    out.println(String.join("\t", set));
  }

  private static void print(PrintStream out, List<String> names, boolean copy) {
    Iterable<String> order;
    if (copy) {
      order = new HashSet<>(names);
      out.println("copy");
    } else {
      Map<String, Integer> map = new HashMap<>();
      for (String name : names) {
        map.put(name, 1);
      }
      order = map.keySet();
      out.println("put");
    }
    out.println(String.join("\t", names));
    out.println(String.join("\t", order));
  }
}
