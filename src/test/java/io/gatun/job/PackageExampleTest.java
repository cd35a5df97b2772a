package io.gatun.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.batch.BatchListener;
import io.gatun.batch.Classifier;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.ReadOptions;
import io.gatun.table.Storage;
import io.gatun.table.TableFiles;
import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import io.gatun.table.TableSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of the package's documentation. */
class PackageExampleTest {
  @TempDir Path temporary;

  @Test
  void namesOfATableGetTheirLanguages() throws Exception {
    Path folder = Shared.project().resolve("examples/names");
    Path names = Files.writeString(temporary.resolve("names.csv"), "id,name\n7,Kowalski\n");
    Path labels = temporary.resolve("labels.jsonl");
    TableFormat csv = TableFormats.named("csv");
    TableSource source = TableSource.of(names, Storage.system(), null);
    try (Model model = ModelFolder.open(folder);
        Classifier classifier = Classifier.of(model);
        TableFiles rows = new TableFiles(List.of(source), csv, ReadOptions.USUAL)) {
      JobSummary done =
          BatchJob.builder()
              .output(labels)
              .format(TableFormats.named("jsonl"), null)
              .resume(true)
              .build()
              .run(
                  rows,
                  new RowTask<>(classifier.task(), RowTask.text(rows.schema(), "name")),
                  new ClassificationAnswers(true, 1, (number, answer) -> ""),
                  List.of(new Column("id", ColumnType.TEXT)),
                  row -> new Object[] {row.values()[0]},
                  BatchListener.NONE);
      assertEquals(1, done.progress().records());
    }
    String line = Files.readString(labels);
    assertTrue(line.startsWith("{\"id\":\"7\",\"label\":\"Polish\",\"probability\":0."), line);
  }
}
