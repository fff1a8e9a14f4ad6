import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A topology's main as small as can be: it shows its arguments and copies the
 * definition in the file of the property "definition" to where HERON_OPTIONS
 * says, as Heron's API would write it.
 */
public final class Main {
  private Main() { }

  public static void main(String[] args) throws Exception {
    for (String arg : args) {
      System.out.println("arg: " + arg);
    }
    String folder = null;
    for (String pair : System.getenv("HERON_OPTIONS").split(",")) {
      String[] parts = pair.replace("%%%%", " ").split("=");
      if (parts.length == 2 && parts[0].equals("cmdline.topologydefn.tmpdirectory")) {
        folder = parts[1];
      }
    }
    Path from = Path.of(System.getProperty("definition"));
    Files.copy(from, Path.of(folder).resolve(from.getFileName()));
  }
}
