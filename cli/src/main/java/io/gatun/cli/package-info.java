/** The command {@code gatun}: the only place of the project that prints. */
package io.gatun.cli;
