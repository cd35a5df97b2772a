package io.gatun.graph;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.HostMemory;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Segments;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One thread's run of a {@link Plan}: its memory and its order of work.
 *
 * <p>Give every input with {@link #input(String, Tensor)}, {@link #run()}, and read {@link
 * #output(String)}. Inputs stay given: to run on new numbers of the same sizes, write them into the
 * same tensors and run again. Once sizes have been seen, running allocates nothing.
 *
 * <p>An input is read in place where it is native, contiguous, of the type the device computes in,
 * and nobody else can free it while it is read: memory that only this thread can close, memory that
 * is never closed, or memory of a {@link SharedArena}, which is then leased until the input is
 * given anew or the execution closes. Otherwise it is copied at each run. {@link #inPlace} tells.
 *
 * <p>Not thread-safe, but a second thread that comes while the first one is inside is turned away
 * with an exception. Whoever made it closes it.
 */
public final class Execution implements AutoCloseable {
  /** Sizes whose layout is remembered; the oldest is forgotten first. */
  private static final int LAYOUTS = 128;

  /** The same where contents steer the layout. */
  private static final int STEERED_LAYOUTS = 16;

  private final Plan plan;
  private final Workers workers;
  private final Kernels kernels;
  private final Map<Value, Integer> slots = new HashMap<>();
  private final Map<String, Integer> inputSlots = new HashMap<>();
  private final Map<String, Integer> outputSlots = new HashMap<>();
  private final Operand[] inputs;
  private final Operand[] outputs;
  private final Layout[] layouts = new Layout[LAYOUTS];
  private int layoutCount;
  private int nextLayout;
  private Layout layout;
  private Buffer workspace;
  private Arena host;
  private boolean closed;

  /** Kernels run on addresses that a second thread would pull away: it must not get in. */
  private final AtomicBoolean busy = new AtomicBoolean();

  /** An input or output: where its numbers are outside, and where the steps find them. */
  static final class Operand {
    final Value value;
    final Region region = new Region();

    /** Its sizes now; the array stays and is written to, so whoever keeps sizes needs a copy. */
    long[] dims;

    long bytes;
    Tensor tensor;
    Buffer inPlace;
    Buffer staging;
    boolean given;

    /** Where an output is copied to for the caller, from a device that has its own memory. */
    HostMemory fetched;

    /** What it contains, on the host, where that steers the layout. */
    Tensor content;

    /** Memory for {@code content} where it cannot be seen where it lies. */
    Tensor copied;

    Operand(Value value) {
      this.value = value;
    }

    void release() {
      if (inPlace != null) {
        inPlace.close();
        inPlace = null;
      }
      tensor = null;
      given = false;
    }
  }

  Execution(Plan plan, Workers workers) {
    this.plan = plan;
    this.workers = workers;
    this.kernels = plan.device().open(workers);
    inputs = new Operand[plan.inputs().size()];
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = new Operand(plan.inputs().get(i));
      inputSlots.put(inputs[i].value.name(), i);
    }
    outputs = new Operand[plan.outputs().size()];
    for (int i = 0; i < outputs.length; i++) {
      outputs[i] = new Operand(plan.outputs().get(i));
      outputSlots.put(outputs[i].value.name(), i);
    }
    int slot = 0;
    for (Operand input : inputs) {
      slots.put(input.value, slot++);
    }
    for (Node node : plan.nodes()) {
      for (Value value : node.inputs()) {
        if (value != null && value.constant() != null && !slots.containsKey(value)) {
          slots.put(value, slot++);
        }
      }
      for (Value value : node.outputs()) {
        slots.put(value, slot++);
      }
    }
    for (Operand output : outputs) {
      if (!slots.containsKey(output.value)) {
        slots.put(output.value, slot++);
      }
    }
  }

  /** The plan it runs. */
  public Plan plan() {
    return plan;
  }

  /** The order of work its steps run in, for those who add operations of their own. */
  public Kernels kernels() {
    return kernels;
  }

  /**
   * Gives an input. The tensor stays the caller's; it is read at each {@link #run()}, and where it
   * lies in memory of {@link io.gatun.kernel.Device#allocateHost} until an output was read.
   *
   * @throws IllegalArgumentException if the plan needs no input of that name
   * @throws ShapeException if type or shape do not fit
   * @throws IllegalStateException if it is closed
   */
  public Execution input(String name, Tensor tensor) {
    enter();
    try {
      give(name, tensor);
    } finally {
      leave();
    }
    return this;
  }

  private void give(String name, Tensor tensor) {
    Operand input = find(inputSlots, inputs, name, "input");
    if (input.given && input.tensor == tensor) {
      return;
    }
    if (stored(tensor.dtype()) != stored(input.value.type())) {
      throw new ShapeException(
          "input "
              + name
              + " is "
              + tensor.dtype().label()
              + ", expected "
              + input.value.type().label());
    }
    long[] dims = tensor.shape().dims();
    checkDims(input.value, dims);
    input.release();
    input.inPlace = inPlace(tensor, "input " + name);
    input.tensor = tensor;
    changeDims(input, dims);
    input.given = true;
  }

  /**
   * Gives an input that is on the device already: it is read where the region points now.
   *
   * @throws ShapeException if the sizes do not fit, or the region is too short for them
   * @throws IllegalArgumentException if the plan needs no input of that name, or the region lies in
   *     this execution's own memory, where a run would write over it
   * @throws IllegalStateException if it is closed
   */
  public Execution input(String name, Region region, long... dims) {
    enter();
    try {
      give(name, region, dims);
    } finally {
      leave();
    }
    return this;
  }

  private void give(String name, Region region, long... dims) {
    Operand input = find(inputSlots, inputs, name, "input");
    checkDims(input.value, dims);
    long bytes = bytes(input.value, dims);
    if (region.bytes() < bytes) {
      throw new ShapeException(
          "input "
              + name
              + " "
              + Arrays.toString(dims)
              + " needs "
              + bytes
              + " bytes, but the region has "
              + region.bytes());
    }
    checkForeign("input", name, region);
    if (input.given) {
      input.release();
    }
    changeDims(input, dims);
    input.region.set(region);
    input.given = true;
  }

  /**
   * Says where an output is to be written: at each {@link #run()}, in place where the tensor is
   * contiguous, of the device's type and safe to use in place, else by a copy. It may be an input's
   * memory, which is written last; but an output that is only another look at that input, and goes
   * nowhere else itself, then shows what was written.
   *
   * @throws ShapeException if the type does not fit; sizes are checked by {@link #run()}
   * @throws IllegalStateException if it is closed
   */
  public Execution output(String name, Tensor target) {
    enter();
    try {
      take(name, target);
    } finally {
      leave();
    }
    return this;
  }

  private void take(String name, Tensor target) {
    Operand output = find(outputSlots, outputs, name, "output");
    if (stored(target.dtype()) != stored(output.value.type())) {
      throw new ShapeException(
          "output "
              + name
              + " goes to "
              + target.dtype().label()
              + ", expected "
              + output.value.type().label());
    }
    if (output.tensor != target) {
      output.release();
      output.inPlace = inPlace(target, "output " + name);
      output.tensor = target;
      output.given = true;
    }
  }

  /**
   * Says where on the device an output is to be written at each {@link #run()}.
   *
   * @throws IllegalArgumentException if the region lies in this execution's own memory
   * @throws IllegalStateException if it is closed
   */
  public Execution output(String name, Region region) {
    enter();
    try {
      Operand output = find(outputSlots, outputs, name, "output");
      checkForeign("output", name, region);
      output.release();
      output.region.set(region);
      output.given = true;
    } finally {
      leave();
    }
    return this;
  }

  private void checkForeign(String what, String name, Region region) {
    if (workspace != null && workspace.equals(region.buffer())) {
      throw new IllegalArgumentException(
          what
              + " "
              + name
              + " of "
              + plan.graph().name()
              + " is in the execution's own memory, which each run writes over; copy it first");
    }
  }

  /** Whether an input or output is used where it lies, without a copy. */
  public boolean inPlace(String name) {
    Integer slot = inputSlots.get(name);
    Operand operand =
        slot != null ? inputs[slot] : find(outputSlots, outputs, name, "input or output");
    return operand.given && (operand.tensor == null || operand.inPlace != null);
  }

  /**
   * Computes the plan's outputs from the inputs given.
   *
   * @throws IllegalStateException if an input is missing or its memory is closed, or the execution
   *     is
   * @throws ShapeException if sizes do not fit each other
   */
  public void run() {
    enter();
    try {
      compute();
    } finally {
      leave();
    }
  }

  private void enter() {
    if (!busy.compareAndSet(false, true)) {
      throw new IllegalStateException(
          "the execution of "
              + plan.graph().name()
              + " is in use by another thread; each needs one of its own");
    }
    if (closed) {
      leave();
      throw new IllegalStateException("the execution of " + plan.graph().name() + " is closed");
    }
  }

  private void leave() {
    busy.set(false);
  }

  private void compute() {
    for (Operand input : inputs) {
      if (!input.given) {
        throw new IllegalStateException(
            "input " + input.value.name() + " of " + plan.graph().name() + " is not given");
      }
      if (input.tensor != null) {
        checkAlive(input, "input");
      }
    }
    findLayout();
    for (Operand input : inputs) {
      if (input.tensor == null) {
        continue;
      }
      if (input.inPlace != null) {
        input.region.set(input.inPlace, 0, input.bytes);
      } else {
        if (input.staging == null || input.staging.bytes() < input.bytes) {
          replaceStaging(input);
        }
        kernels.upload(input.tensor, input.region.set(input.staging, 0, input.bytes));
      }
    }
    for (int i = 0; i < outputs.length; i++) {
      if (outputs[i].given) {
        checkTarget(outputs[i], layout.outputShape(i), layout.outputBytes(i));
      }
    }
    layout.run(kernels);
    for (int i = 0; i < outputs.length; i++) {
      if (outputs[i].given && outputs[i].tensor != null && outputs[i].inPlace == null) {
        kernels.download(layout.output(i), outputs[i].tensor);
      }
    }
  }

  /**
   * An output of the last {@link #run()} as a tensor on the host, in the device's type of its type:
   * the tensor given for it, or a read-only view that is overwritten by the next run and ends with
   * the execution. On a device that does not compute in the host's memory it is a view of a copy,
   * made by this call and overwritten by the next; to copy at every run, give a tensor.
   *
   * @throws IllegalArgumentException if the plan has no output of that name
   * @throws IllegalStateException before the first run, after an input of other sizes was given and
   *     not yet run, or if the execution is closed
   */
  public Tensor output(String name) {
    Operand output = find(outputSlots, outputs, name, "output");
    if (output.given && output.tensor != null) {
      return output.tensor;
    }
    Region region = region(name);
    int index = outputSlots.get(name);
    DType type = stored(output.value.type());
    if (region.buffer() instanceof HostBuffer buffer) {
      kernels.synchronize();
      Tensor view = layout.view(index);
      if (view == null
          || !view.baseSegment().scope().isAlive()
          || view.baseSegment().address() != buffer.address() + region.offset()) {
        long bytes = layout.outputBytes(index);
        long[] dims = layout.outputShape(index).dims();
        view =
            Tensor.wrap(buffer.segment().asSlice(region.offset(), bytes), type, dims).asReadOnly();
        layout.view(index, view);
      }
      return view;
    }
    long bytes = layout.outputBytes(index);
    if (output.fetched == null || output.fetched.segment().byteSize() < bytes) {
      if (output.fetched != null) {
        output.fetched.close();
        output.fetched = null;
      }
      output.fetched = plan.device().allocateHost(bytes);
    }
    Tensor copy =
        Tensor.wrap(
            output.fetched.segment().asSlice(0, bytes), type, layout.outputShape(index).dims());
    kernels.download(region, copy);
    return copy.asReadOnly();
  }

  /**
   * Where on the device an output of the last {@link #run()} lies, until the next one.
   *
   * @throws IllegalStateException as {@link #output(String)}
   */
  public Region region(String name) {
    Operand output = find(outputSlots, outputs, name, "output");
    checkHasRun(name);
    return layout.output(outputSlots.get(output.value.name()));
  }

  /**
   * The sizes of an output at the last {@link #run()}.
   *
   * @throws IllegalStateException as {@link #output(String)}
   */
  public Shape shape(String name) {
    Operand output = find(outputSlots, outputs, name, "output");
    checkHasRun(name);
    return layout.outputShape(outputSlots.get(output.value.name()));
  }

  private void checkHasRun(String output) {
    if (closed) {
      throw new IllegalStateException(
          "output " + output + ": the execution of " + plan.graph().name() + " is closed");
    }
    if (layout == null) {
      throw new IllegalStateException(
          "output " + output + ": nothing has been run with the inputs given");
    }
  }

  /** The bytes of memory for values between nodes. */
  public long workspaceBytes() {
    return workspace == null ? 0 : workspace.bytes();
  }

  /**
   * Frees its memory and gives back leases. Closing twice does nothing.
   *
   * @throws IllegalStateException while another thread runs it
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    enter();
    try {
      closed = true;
      release();
    } finally {
      leave();
    }
  }

  private void release() {
    closeLayouts();
    for (Operand[] operands : new Operand[][] {inputs, outputs}) {
      for (Operand operand : operands) {
        operand.release();
        if (operand.staging != null) {
          operand.staging.close();
        }
        if (operand.fetched != null) {
          operand.fetched.close();
        }
      }
    }
    kernels.close();
    if (workspace != null) {
      workspace.close();
    }
    if (host != null) {
      host.close();
    }
    plan.executionClosed();
  }

  // ---- layouts --------------------------------------------------------------------------------

  /** Makes sure that the layout is that of the sizes, and of the contents that steer, now. */
  private void findLayout() {
    boolean steered = false;
    for (Operand input : inputs) {
      if (plan.steers(input.value)) {
        input.content = content(input);
        steered = true;
      }
    }
    if (layout == null || (steered && !layout.isSteeredBy(inputs))) {
      layout = null;
      layout = layout();
    }
  }

  /** What an input contains now, contiguous and in the device's type. */
  private Tensor content(Operand input) {
    DType type = stored(input.value.type());
    if (input.tensor != null) {
      Tensor tensor = input.tensor;
      if (tensor.isContiguous() && tensor.dtype() == type) {
        return tensor;
      }
      return copied(input, type).copyFrom(tensor);
    }
    if (input.region.buffer() instanceof HostBuffer buffer) {
      kernels.synchronize();
      return Tensor.wrap(
          buffer.segment().asSlice(input.region.offset(), input.bytes), type, input.dims);
    }
    Tensor copy = copied(input, type);
    kernels.download(input.region, copy);
    return copy;
  }

  private Tensor copied(Operand input, DType type) {
    if (input.copied == null || !Arrays.equals(input.copied.shape().dims(), input.dims)) {
      if (host == null) {
        host = Arena.ofShared();
      }
      input.copied = Tensor.allocate(host, type, input.dims);
    }
    return input.copied;
  }

  /** Says of what sizes an input will be, without giving it: enough to be {@link #sized()}. */
  void expect(String name, long... dims) {
    Operand input = find(inputSlots, inputs, name, "input");
    checkDims(input.value, dims);
    input.release();
    changeDims(input, dims);
  }

  /**
   * Makes the layout for what inputs were given or expected, and returns the sizes that the outputs
   * will have. Inputs whose content steers must be given.
   */
  Shape[] sized() {
    findLayout();
    Shape[] shapes = new Shape[outputs.length];
    Arrays.setAll(shapes, layout::outputShape);
    return shapes;
  }

  private Layout layout() {
    for (int i = 0; i < layoutCount; i++) {
      if (layouts[i].fits(inputs)) {
        return layouts[i];
      }
    }
    checkSymbols();
    Layout made = new Layout(plan, slots, inputs, outputs, kernels, workers);
    if (workspace == null || workspace.bytes() < made.workspaceBytes()) {
      if (workspace != null) {
        kernels.synchronize();
        workspace.close();
        workspace = null;
      }
      try {
        workspace = plan.device().allocate(made.workspaceBytes());
      } catch (RuntimeException | Error e) {
        // What was laid out lay in the memory that is gone; smaller sizes may still be run.
        made.close();
        closeLayouts();
        throw e;
      }
      for (int i = 0; i < layoutCount; i++) {
        layouts[i].place(workspace);
      }
    }
    made.place(workspace);
    if (layouts[nextLayout] != null) {
      layouts[nextLayout].close();
    }
    layouts[nextLayout] = made;
    // What steers may have been packed for it, and that is not small.
    int kept = made.isSteered() ? STEERED_LAYOUTS : LAYOUTS;
    nextLayout = (nextLayout + 1) % kept;
    layoutCount = Math.max(layoutCount, nextLayout == 0 ? kept : nextLayout);
    return made;
  }

  private void closeLayouts() {
    for (int i = 0; i < layoutCount; i++) {
      layouts[i].close();
      layouts[i] = null;
    }
    layoutCount = 0;
    nextLayout = 0;
    layout = null;
  }

  /** The same symbol must be the same size in every input. */
  private void checkSymbols() {
    Map<Dim, Operand> first = new HashMap<>();
    Map<Dim, Long> sizes = new HashMap<>();
    for (Operand input : inputs) {
      for (int axis = 0; axis < input.dims.length; axis++) {
        Dim dim = input.value.dim(axis);
        Long size = sizes.putIfAbsent(dim, input.dims[axis]);
        if (size != null && size != input.dims[axis]) {
          throw new ShapeException(
              "input "
                  + input.value.name()
                  + " has "
                  + dim
                  + " "
                  + input.dims[axis]
                  + ", but input "
                  + first.get(dim).value.name()
                  + " has "
                  + size);
        }
        first.putIfAbsent(dim, input);
      }
    }
  }

  private void changeDims(Operand input, long[] dims) {
    if (!Arrays.equals(input.dims, dims)) {
      if (input.dims == null) {
        input.dims = dims.clone();
      } else {
        System.arraycopy(dims, 0, input.dims, 0, dims.length);
      }
      input.bytes = bytes(input.value, dims);
      layout = null;
    }
  }

  private static void checkDims(Value value, long[] dims) {
    boolean fits = dims.length == value.rank();
    for (int axis = 0; fits && axis < dims.length; axis++) {
      Dim dim = value.dim(axis);
      fits = dims[axis] >= 0 && (!dim.isKnown() || dim.size() == dims[axis]);
    }
    if (!fits) {
      throw new ShapeException(
          "input " + value.name() + " is " + Arrays.toString(dims) + ", expected " + value.dims());
    }
  }

  // ---- memory of the caller -------------------------------------------------------------------

  private DType stored(DType type) {
    return plan.device().stored(type);
  }

  private long bytes(Value value, long[] dims) {
    // By hand: a Shape would be an object for each call, and this is called at each run.
    long bytes = stored(value.type()).bytes();
    for (long size : dims) {
      bytes = Math.multiplyExact(bytes, size);
    }
    return bytes;
  }

  private void replaceStaging(Operand input) {
    if (input.staging != null) {
      kernels.synchronize();
      input.staging.close();
      input.staging = null;
    }
    input.staging = plan.device().allocate(input.bytes);
  }

  /** The tensor's memory as a buffer if kernels may use it where it lies, else {@code null}. */
  private Buffer inPlace(Tensor tensor, String holder) {
    if (!tensor.isContiguous() || tensor.dtype() != stored(tensor.dtype())) {
      return null;
    }
    MemorySegment segment = tensor.segment();
    if (!segment.isNative() || segment.address() % tensor.dtype().bytes() != 0) {
      return null;
    }
    if (Segments.isThreadConfined(segment) || Segments.staysAlive(segment)) {
      return plan.device().wrap(segment);
    }
    SharedArena owner = SharedArena.ownerOf(segment).orElse(null);
    if (owner == null || plan.device().wrap(segment) == null) {
      return null;
    }
    return HostBuffer.lease(segment, owner, holder + " of " + plan.graph().name());
  }

  private static void checkAlive(Operand operand, String what) {
    MemorySegment segment = operand.tensor.baseSegment();
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException(
          what + " " + operand.value.name() + " (" + operand.tensor + "): its arena is closed");
    }
    if (!segment.isAccessibleBy(Thread.currentThread())) {
      throw new WrongThreadException(
          what
              + " "
              + operand.value.name()
              + " ("
              + operand.tensor
              + ") belongs to another thread");
    }
  }

  private static void checkTarget(Operand output, Shape shape, long bytes) {
    if (output.tensor != null) {
      checkAlive(output, "output");
      if (!output.tensor.shape().equals(shape)) {
        throw new ShapeException(
            "output "
                + output.value.name()
                + " goes to "
                + output.tensor.shape()
                + ", expected "
                + shape);
      }
      if (output.inPlace != null) {
        output.region.set(output.inPlace, 0, bytes);
      }
    } else if (output.region.bytes() < bytes) {
      throw new ShapeException(
          "output "
              + output.value.name()
              + " "
              + shape
              + " needs "
              + bytes
              + " bytes, but the region has "
              + output.region.bytes());
    }
  }

  private static Operand find(
      Map<String, Integer> slots, Operand[] operands, String name, String what) {
    Integer slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException(
          "the plan has no "
              + what
              + " "
              + name
              + "; "
              + Names.suggest(name, List.copyOf(slots.keySet())));
    }
    return operands[slot];
  }
}
