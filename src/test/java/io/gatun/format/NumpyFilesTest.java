package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Arrays that numpy wrote (see make_numpy_files.py beside them), and arrays for numpy. */
class NumpyFilesTest {
  private static final Map<String, long[]> SHAPES =
      Map.of(
          "scalar",
          new long[] {},
          "vector",
          new long[] {5},
          "empty",
          new long[] {0, 3},
          "matrix",
          new long[] {2, 3},
          "cube",
          new long[] {2, 3, 4},
          "five",
          new long[] {2, 1, 3, 1, 2});

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"numpy_stored.npz", "numpy_compressed.npz"})
  void everyTypeOrderAndShapeOfNumpyIsRead(String name) throws IOException {
    try (TensorFile read = TensorFile.open(Fixtures.resource(folder, name))) {
      assertEquals(TensorFile.Format.NPZ, read.format());
      assertEquals(13 * 6 * 2, read.names().size());
      for (String array : read.names()) {
        String[] parts = array.split("/");
        Tensor tensor = read.tensor(array);
        DType dtype = DType.of(parts[0]);
        assertEquals(dtype, tensor.dtype(), array);
        assertEquals(Arrays.toString(SHAPES.get(parts[2])), tensor.shape().toString(), array);
        assertEquals(
            Arrays.toString(Fixtures.counted(dtype, tensor.elements())),
            Arrays.toString(tensor.toDoubles()),
            array);
        assertTrue(tensor.isReadOnly(), array);
        assertEquals(tensor, read.tensor(array), "the same each time");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void everyVersionOfTheHeaderIsRead(int version) throws IOException {
    String name = "numpy_version_" + version;
    try (TensorFile read = TensorFile.open(Fixtures.resource(folder, name + ".npy"))) {
      assertEquals(List.of(name), List.copyOf(read.names()));
      assertEquals("float32[2, 3]", read.tensor(name).toString());
      assertEquals(5f, read.tensor(name).getFloat(1, 2));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "objects,pickled Python objects",
    "text,holds strings",
    "complex,complex numbers",
    "fields,structured array"
  })
  void whatIsNoArrayOfNumbersIsRefusedByName(String array, String message) throws IOException {
    try (TensorFile read = TensorFile.open(Fixtures.resource(folder, "numpy_objects.npz"))) {
      assertEquals(3, read.tensor("numbers").elements());
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> read.tensor(array));
      assertTrue(refused.getMessage().contains(message), refused.getMessage());
      assertTrue(refused.getMessage().contains("'" + array + ".npy'"), refused.getMessage());
    }
  }

  @Test
  void whatIsWrittenIsReadBack() throws IOException {
    Path file = folder.resolve("all.npz");
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = Fixtures.everyTypeAndShape(arena, DType.BFLOAT16);
      tensors.put("view", Fixtures.counting(arena, DType.INT32, 3, 4).transpose());
      Npz.write(file, tensors);
      try (TensorFile read = TensorFile.open(file)) {
        assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.names()));
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
          Tensor tensor = read.tensor(entry.getKey());
          Fixtures.assertSame(entry.getValue(), tensor, entry.getKey());
          assertEquals(0, tensor.segment().address() % 64, entry.getKey());
        }
      }
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Path one = folder.resolve("one.npy");
        Npy.write(one, entry.getValue());
        assertEquals(0, (Files.size(one) - entry.getValue().byteSize()) % 64, entry.getKey());
        try (TensorFile read = TensorFile.open(one)) {
          Fixtures.assertSame(entry.getValue(), read.tensor("one"), entry.getKey());
        }
      }
    }
  }

  @Test
  void theJdkReadsWhatIsWritten() throws IOException {
    Path file = folder.resolve("jdk.npz");
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("größe", Fixtures.counting(arena, DType.FLOAT32, 2, 3));
      tensors.put("layer/w", Fixtures.counting(arena, DType.INT64, 3));
      Npz.write(file, tensors);
    }
    try (ZipFile zip = new ZipFile(file.toFile())) {
      assertEquals(
          List.of("größe.npy", "layer/w.npy"), zip.stream().map(ZipEntry::getName).toList());
      byte[] bytes = zip.getInputStream(zip.getEntry("größe.npy")).readAllBytes();
      assertEquals(128 + 24, bytes.length);
    }
  }

  @Test
  void membersWithSizesBehindThemAreRead() throws IOException {
    Path array = folder.resolve("a.npy");
    try (Arena arena = Arena.ofConfined()) {
      Npy.write(array, Fixtures.counting(arena, DType.FLOAT32, 300, 70));
    }
    Path file = folder.resolve("streamed.npz");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      zip.setComment("a comment of the file");
      zip.putNextEntry(new ZipEntry("readme.txt"));
      zip.write(new byte[] {1, 2, 3});
      zip.putNextEntry(new ZipEntry("a.npy"));
      zip.write(Files.readAllBytes(array));
    }
    try (TensorFile read = TensorFile.open(file)) {
      assertEquals(List.of("a"), List.copyOf(read.names()), "what is no array is left alone");
      assertEquals(99f, read.tensor("a").getFloat(299, 69));
    }
  }

  @Test
  void bfloat16IsRefusedWithTheWayOut() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor tensor = Tensor.allocate(arena, DType.BFLOAT16, 2);
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class, () -> Npy.write(folder.resolve("a.npy"), tensor));
      assertTrue(refused.getMessage().contains("safetensors"), refused.getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }|4|takes 8 bytes, but 4 follow",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }|9|takes 8 bytes, but 9 follow",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }|8|size of 0 or more",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2), }|8|expected a tuple",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }|8|expected ',' or ')'",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }|8|63 bits",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }|8|too large",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807), }|0|too large",
        "{'descr': '<f4', 'fortran_order': None, 'shape': (2,), }|8|not True or False",
        "{'descr': '<f4', 'fortran_order': False, }|8|has no 'shape'",
        "{'descr': '<f4', 'shape': (2,), }|8|has no 'fortran_order'",
        "{'fortran_order': False, 'shape': (2,), }|8|has no 'descr'",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }|8|twice",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': '', }|8|key 'x'",
        "{'descr': '|f4', 'fortran_order': False, 'shape': (2,), }|8|is not a type",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,), }|8|quoted string",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } + {}|8|goes on after",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,|8|ends within its dictionary",
        "{'descr': '<f\\x34', 'fortran_order': False, 'shape': (2,), }|8|escaped",
      })
  void aBrokenHeaderIsRefusedWithItsPlace(String line) throws IOException {
    int second = line.lastIndexOf('|');
    int first = line.lastIndexOf('|', second - 1);
    String dictionary = line.substring(0, first);
    int dataBytes = Integer.parseInt(line.substring(first + 1, second));
    Path file = folder.resolve("broken.npy");
    Files.write(file, Fixtures.npy(dictionary, dataBytes));
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> TensorFile.open(file));
    assertTrue(refused.getMessage().startsWith(file + ": at byte "), refused.getMessage());
    assertTrue(refused.getMessage().contains(line.substring(second + 1)), refused.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "g2p_en/checkpoint20.npz,enc_emb,'[29, 256]'",
    "g2p_en/checkpoint20.npz,dec_emb,'[74, 256]'",
    "g2p_en/checkpoint20.npz,enc_w_ih,'[768, 256]'",
    "g2p_en/checkpoint20.npz,dec_b_hh,'[768]'",
    "g2p_en/checkpoint20.npz,fc_w,'[74, 256]'",
    "kws_arm/GRU_S.npz,W_o,'[154, 12]'",
    "kws_arm/CRNN_S.npz,W,'[10, 4, 1, 48]'",
    "kws_arm/CRNN_S.npz,Variable_2,'[84, 12]'",
    "kws_arm/Basic_LSTM_S.npz,lstm.rnn.basic_lstm_cell.kernel,'[128, 472]'",
    "kws_arm/right_mfcc_40ms_40ms.npy,right_mfcc_40ms_40ms,'[25, 10]'",
    "kws_arm/right_mfcc_40ms_20ms.npy,right_mfcc_40ms_20ms,'[49, 10]'",
    "silero_vad/silero_vad_16k.safetensors,lstm_cell.weight_ih,'[512, 128]'"
  })
  void modelsOfOthersHaveTheShapesTheirSourceStates(String file, String name, String shape)
      throws IOException {
    try (TensorFile read = TensorFile.open(Shared.path("models/" + file))) {
      assertEquals(shape, read.tensor(name).shape().toString());
      for (String other : read.names()) {
        for (float value : read.tensor(other).toFloats()) {
          assertTrue(Math.abs(value) < 1000, () -> other + " has " + value);
        }
      }
    }
  }
}
