package io.gatun.table;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.batch.InputRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of the package's documentation. */
class PackageExampleTest {
  @TempDir Path folder;

  @Test
  void wordsOfATable() throws Exception {
    Path file = Files.writeString(folder.resolve("words.csv"), "id,word\n1,hello\n");
    TableSource source = TableSource.of(file, Storage.system(), null);
    try (TableReader words = TableFormats.named("csv").reader(source, ReadOptions.USUAL)) {
      int column = words.schema().indexOf("word");
      InputRecord<Row> record;
      while ((record = words.next(() -> {})) != null) {
        if (record.problem() == null) {
          Object word = record.value().values()[column];
          assertEquals("hello", word);
        }
      }
    }
  }
}
