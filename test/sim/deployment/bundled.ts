/** The configuration that is bundled at deploy: none. */
export default '';
