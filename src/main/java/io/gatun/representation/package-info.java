/**
 * Any representation y(l) of a network, as features for something else, and what its units detect.
 *
 * <pre>{@code
 * Feed feed = Feed.of(model.network());
 * try (Extraction extraction = Extraction.of(feed, List.of("conv*"), Pooling.MEAN);
 *     NpyFiles files = new NpyFiles(folder)) {
 *   extraction.run(ExampleReader.of(examples), files, Progress.NONE);
 *   files.commit();
 * }
 * }</pre>
 *
 * <p>A {@link io.gatun.representation.Feed} knows how examples become the inputs of a network. Each
 * value of the network has positions (time steps, places of an image; or none) and units, which are
 * the detectors at each of them. {@link io.gatun.representation.Selection} finds values by name or
 * pattern, {@link io.gatun.representation.Extraction} writes them for data of any size.
 */
package io.gatun.representation;
