var fromRoot = 'root';
